//! What the user, the provider and the harness do in a step.

use std::time::Duration;

use regrant_mock_server::{
    authority::Cause,
    control::Target,
    fault::scenario::{AccessWord, Act, NeedRefresh, Reconnect, RotateSecret, Token, Whom},
};
use tokio::time::{Instant, sleep_until};

use super::{StageError, cast::Cast};
use crate::evidence::{Refreshing, Reply, TokenResult, Wanted, What};

/// Life of access tokens for a subject that refreshes by the clock only.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(2);
/// So long after its end a token is certainly over, whatever the rounding.
const OVER: Duration = Duration::from_millis(150);
/// No longer life is waited for.
const OUTLIVED: Duration = Duration::from_secs(30);
/// So long after its end nobody can take a token for good, however the seconds were counted.
const LATE: Duration = Duration::from_millis(1_200);

impl Cast {
    /// Does one thing.
    pub(super) async fn act(&mut self, act: &Act) -> Result<(), StageError> {
        self.revive().await?;
        match act {
            Act::Reconnect(how) if how.two_tabs => self.connect_in_two_tabs(*how).await,
            Act::Reconnect(how) if how.detached => self.connect_detached(*how).await,
            Act::Reconnect(how) => {
                self.connect(Wanted::Consent, *how).await;
            }
            Act::Deny(times) => self.log_ins(Wanted::Deny, times.get()).await,
            Act::Abandon(times) => self.log_ins(Wanted::Abandon, times.get()).await,
            Act::Disconnect(how) => {
                for _ in 0..how.times() {
                    self.disconnect(how.is_detached()).await;
                }
            }
            Act::Revoke(revoke) => {
                self.control().revoke(self.target(revoke.connection()), revoke.cause());
            }
            Act::NeedRefresh(which) => self.need_refresh(*which).await,
            Act::Expire(Token::Access) => {
                self.control().expire_access(Target::All);
            }
            Act::Expire(Token::Refresh) => {
                self.control().expire_refresh(Target::All, true);
            }
            Act::Reject(_) => {
                self.control().reject_access(Target::All);
            }
            Act::RotateSecret(how) => self.rotate_secret(how)?,
            Act::AddSecret(add) => {
                let added = self.control().add_secret(None, None, add.after.unwrap_or_default());
                self.secret_pending = Some(realised(added)?.value);
            }
            Act::RetireSecret(how) => realised(self.control().retire_secret_as(how))?,
            Act::RevokeSecret(how) => realised(self.control().revoke_secret_as(how))?,
            Act::SkewApi(how) => {
                if let Some(skew) = how.skew() {
                    self.control().skew(skew);
                }
            }
            Act::Advance(by) => self.control().advance(*by),
            Act::AddWork(times) => self.add_work(times.get() as usize),
            Act::Release(release) => {
                self.control().release_as(release);
                self.way_is_clear();
            }
            Act::Drop(gate) => {
                self.control().drop_held(gate);
            }
            Act::Trigger(how) => self.trigger(how).await,
            Act::HangUp(_) => self.hang_up(),
            Act::Kill(Whom::All(_)) => self.kill().await?,
            // There is no other that could go on.
            Act::Kill(Whom::One(_)) if self.instances.len() < 2 => self.kill().await?,
            Act::Kill(Whom::One(one)) => self.kill_one(&one.held).await?,
            Act::Pause(how) => self.pause(how).await?,
            Act::Continue(_) => self.resume().await?,
            Act::Stop(_) => self.stop().await?,
            Act::Outlive(AccessWord::Access) => self.outlive().await?,
            Act::Restart(_) => self.restart().await?,
            Act::Reload(_) => self.reload().await?,
        }
        Ok(())
    }

    async fn log_ins(&mut self, wanted: Wanted, times: u32) {
        for _ in 0..times {
            self.connect(wanted, Reconnect::default()).await;
        }
    }

    /// The next call must refresh, in the form that this subject understands.
    async fn need_refresh(&mut self, which: NeedRefresh) {
        match self.setting.refreshing {
            Refreshing::OnRejection => {
                let number = if let NeedRefresh::Table { connection } = which { Some(connection) } else { None };
                self.control().reject_access(self.target(number));
            }
            Refreshing::OnExpiry => {
                // The life of the newest access token runs out; that is a real time and not shortened, since the subject has its own clock.
                let issued = |what: &What| matches!(what, What::Token { result: TokenResult::Issued { .. }, .. }).then_some(());
                if let Some((at, ())) = self.recorder.last(issued) {
                    sleep_until(Instant::from_std(self.recorder.epoch()) + at + SHORT_LIFE + OVER).await;
                }
                // What the awaited refresh gives lives as long as tokens usually do.
                if self.refreshes_left() <= 1 {
                    self.control().policy(|p| p.access_lifetime = regrant_mock_server::authority::Policy::default().access_lifetime);
                }
                self.refreshes_done += 1;
            }
        }
    }

    /// The subject's clock is the real one: a token that it takes for good must really come to its end.
    async fn outlive(&mut self) -> Result<(), StageError> {
        let lives = |what: &What| match what {
            What::Replied { reply: Reply::Tokens { expires_in, .. }, .. } => Some(*expires_in),
            _ => None,
        };
        let newest = self.recorder.last(lives).and_then(|(at, life)| Some(at + Duration::from_secs(life?)));
        let Some(end) = newest.filter(|end| *end < self.recorder.now() + OUTLIVED) else {
            return Err(StageError::NotRealised("the newest access token has no life that could be waited for".into()));
        };
        sleep_until(Instant::from_std(self.recorder.epoch()) + end + LATE).await;
        Ok(())
    }

    fn refreshes_left(&self) -> usize {
        self.refreshes_planned.saturating_sub(self.refreshes_done)
    }

    fn rotate_secret(&mut self, how: &RotateSecret) -> Result<(), StageError> {
        let secret = realised(self.control().rotate_secret_as(how))?;
        self.secret_pending = Some(secret.value);
        if how.kill_grants {
            self.control().revoke(Target::All, Cause::CredentialRotation);
        }
        Ok(())
    }

    /// New units of work at the provider, in each connection's company, of the kinds that the subject was seen to work on.
    pub(super) fn add_work(&self, count: usize) {
        for kind in &self.setting.units {
            for link in self.all_links() {
                self.control().add_work_in(self.company(link), *kind, count);
            }
        }
    }
}

/// A client that cannot have what the story needs is not to blame for it.
fn realised<T>(done: Result<T, impl std::fmt::Display>) -> Result<T, StageError> {
    done.map_err(|error| StageError::NotRealised(error.to_string()))
}
