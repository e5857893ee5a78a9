//! The planted defects: small, realistic faults, each switched on by its name. Upright is the subject with none of them.

/// A planted defect.
#[derive(Debug, Clone, Copy)]
pub struct Defect {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Requirements that must fail because of it.
    pub breaks: &'static [&'static str],
    /// Requirements that may fail as a consequence.
    pub may: &'static [&'static str],
}

/// Defects that are switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flaws(u128);

impl Flaws {
    /// Is this one switched on?
    pub(crate) fn has(self, flaw: Flaw) -> bool {
        self.0 & (1 << flaw as u32) != 0
    }

    /// Also with this one; `false`: there is none of that name.
    pub(crate) fn plant(&mut self, name: &str) -> bool {
        let place = DEFECTS.iter().position(|defect| defect.name == name);
        if let Some(place) = place {
            self.0 |= 1 << place;
        }
        place.is_some()
    }
}

/// All planted defects.
#[must_use]
pub fn defects() -> &'static [Defect] {
    DEFECTS
}

macro_rules! flaws {
    ($($flaw:ident $name:literal $about:literal breaks [$($breaks:literal)*] may [$($may:literal)*])*) => {
        /// One defect; its place here is its place in [`DEFECTS`].
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Flaw { $($flaw),* }

        const DEFECTS: &[Defect] = &[$(Defect { name: $name, about: $about, breaks: &[$($breaks),*], may: &[$($may),*] }),*];
    };
}

flaws! {
    IgnoresInvalidGrant "ignores-invalid-grant" "takes invalid_grant as a passing fault"
        breaks ["DETECT-01"] may ["DETECT-07" "STOP-02" "STOP-07" "MARK-01" "MARK-02" "PROMPT-01" "PROMPT-02" "PURGE-02" "PURGE-03" "PURGE-04" "PURGE-05" "PURGE-06" "LOG-02" "LOG-03" "ROTATE-07" "RACE-07" "RACE-08" "RETRY-07" "RECOVER-01" "RECOVER-02" "RECOVER-05" "STOP-01" "STOP-03" "STOP-04" "REAUTH-09" "PURGE-01" "DETECT-03" "PROMPT-04" "STOP-05"]
    OnlyKnowsInvalidGrant "only-knows-invalid-grant" "takes every refusal but invalid_grant as a passing fault"
        breaks ["DETECT-02" "DETECT-03"] may ["STOP-02" "STOP-07" "MARK-01" "MARK-02" "PROMPT-01" "PROMPT-02" "PURGE-02" "PURGE-03" "PURGE-04" "PURGE-05" "LOG-02" "LOG-03" "DETECT-07" "PURGE-01"]
    GivesUpOnApi401 "gives-up-on-api-401" "takes an API 401 as the end of the grant without trying a refresh"
        breaks ["DETECT-04"] may ["PROMPT-03" "RACE-01" "RACE-03" "RACE-11" "DETECT-05" "REFRESH-01" "REFRESH-02" "REFRESH-03" "REFRESH-13" "RECOVER-02" "RECOVER-03" "RETRY-01" "RETRY-04" "LOG-01" "LOG-05" "LOG-07" "REFRESH-05" "REFRESH-06" "REFRESH-07" "ROTATE-03" "ROTATE-04"]
    LeavesConnected "leaves-connected-after-refused-refresh-on-401" "drops the work, not the connection, when a refresh that an API 401 or 403 caused is refused"
        breaks ["DETECT-07" "RACE-08"] may ["DETECT-01" "DETECT-02" "DETECT-03" "STOP-01" "STOP-02" "STOP-03" "STOP-04" "STOP-07" "MARK-01" "MARK-02" "PROMPT-01" "PROMPT-02" "PURGE-01" "PURGE-02" "PURGE-03" "PURGE-04" "PURGE-05" "LOG-02" "LOG-03" "RACE-07" "ROTATE-07" "RETRY-07" "REAUTH-09" "PROMPT-04" "STOP-05"]
    KeepsCalling "keeps-calling" "goes on calling the API with the dead access token after the refusal"
        breaks ["STOP-01"] may ["PURGE-01" "STOP-03" "LOG-06" "ROTATE-07" "RACE-08" "STOP-05"]
    RetriesRefused "retries-refused" "presents the refused refresh token again at each trigger"
        breaks ["STOP-02" "STOP-07"] may ["PURGE-02" "ROTATE-07" "RACE-01" "LOG-05" "RACE-08" "STOP-05"]
    RetriesBeforeItEnds "retries-before-it-ends" "presents a refused refresh token twice more, with pauses, before it ends the connection"
        breaks ["STOP-02" "STOP-07"] may ["PURGE-02" "ROTATE-07" "RACE-01" "LOG-04" "LOG-05" "RACE-08" "STOP-05" "DETECT-08"]
    WebhookIgnoresMark "webhook-ignores-mark" "calls the API for a webhook although the connection is unauthenticated"
        breaks ["STOP-03"] may ["STOP-01" "STOP-04" "ROTATE-01" "ROTATE-07" "RACE-08"]
    ForgetsStop "forgets-stop-on-restart" "stops in memory only: the tokens stay in the store and a restart goes on with them"
        breaks ["STOP-04"] may ["MARK-02" "PURGE-01" "PURGE-02" "PURGE-03" "PURGE-04" "PURGE-05" "STOP-01" "STOP-02" "STOP-07" "PROMPT-01" "LOG-04" "RECOVER-02" "ROTATE-07" "STOP-05"]
    AccessTokenSurvives "access-token-survives" "presents the dead access token after a restart"
        breaks ["PURGE-01"] may ["PURGE-04" "PURGE-05" "STOP-01" "STOP-04" "ROTATE-07"]
    RefreshTokenSurvives "refresh-token-survives" "presents the dead refresh token after a restart"
        breaks ["PURGE-02"] may ["PURGE-03" "PURGE-05" "STOP-02" "STOP-07" "ROTATE-07" "LOG-05" "RACE-08"]
    KeepsRefreshRow "keeps-refresh-row" "leaves the dead refresh token in its row"
        breaks ["PURGE-03"] may ["PURGE-05" "ROTATE-07"]
    KeepsAccessRow "keeps-access-row" "leaves the dead access token in its row"
        breaks ["PURGE-04"] may ["PURGE-05" "ROTATE-07"]
    KeepsBackupFile "keeps-backup-file" "leaves a copy of the tokens in a backup file"
        breaks ["PURGE-03" "PURGE-04" "SECRET-08"] may ["PURGE-05" "PURGE-08" "PURGE-09" "SECRET-04" "ROTATE-07"]
    AlwaysConnected "always-connected" "says connected in its status, whatever happened"
        breaks ["MARK-01"] may ["MARK-02" "MARK-03" "PURGE-09" "ROTATE-02" "ROTATE-07" "DETECT-01" "DETECT-02" "DETECT-03" "DETECT-07" "RETRY-07" "RACE-04" "RACE-06" "RACE-07" "RACE-08" "REAUTH-06"]
    MarkInMemory "mark-in-memory" "forgets with a restart that the connection is unauthenticated"
        breaks ["MARK-02"] may ["MARK-01" "PROMPT-01" "PROMPT-02" "LOG-04" "STOP-04" "REAUTH-09"]
    StickyMark "sticky-mark" "says needs_reauth for ever, even after a reconnection"
        breaks ["MARK-03"] may ["MARK-01" "REAUTH-06" "RACE-05" "RACE-10" "REFRESH-13" "RETRY-04"]
    NoReconnectLink "no-reconnect-link" "says that access is lost but offers no way to restore it"
        breaks ["PROMPT-01"] may ["REAUTH-12" "REAUTH-09" "PROMPT-02"]
    KeepsPrompting "keeps-prompting" "asks to restore access for ever, once it was lost"
        breaks ["PROMPT-05"] may []
    SilentPage "silent-page" "offers a bare link without a word of why"
        breaks ["PROMPT-02"] may []
    PromptsOnBlip "prompts-on-blip" "asks the user to reconnect when the token endpoint is briefly unavailable"
        breaks ["PROMPT-03"] may []
    NoPkce "no-pkce" "leaves PKCE out when reconnecting"
        breaks ["REAUTH-01"] may ["REAUTH-03" "REAUTH-04" "REAUTH-06" "REAUTH-08" "RECOVER-01" "RECOVER-02" "RECOVER-05" "MARK-03" "ROTATE-04" "RACE-05" "RACE-10" "PROMPT-01" "REAUTH-11" "REAUTH-12" "REAUTH-09"]
    SlashOnReconnect "slash-on-reconnect" "adds a slash to the redirect URI when reconnecting"
        breaks ["REAUTH-01"] may ["REAUTH-03" "REAUTH-04" "REAUTH-06" "REAUTH-08" "RECOVER-01" "RECOVER-02" "RECOVER-05" "MARK-03" "ROTATE-04" "RACE-05" "RACE-10" "PROMPT-01" "REAUTH-11" "REAUTH-12" "REAUTH-09"]
    FewerScopesOnReconnect "fewer-scopes-on-reconnect" "forgets a scope when reconnecting"
        breaks ["REAUTH-02"] may []
    FixedState "fixed-state" "sends the same state with every authorise request"
        breaks ["REAUTH-03"] may ["REAUTH-05" "REAUTH-06" "RACE-10"]
    ShortState "short-state" "counts its states"
        breaks ["REAUTH-03"] may ["REAUTH-05"]
    ReusesVerifier "reuses-verifier" "uses one code verifier for every attempt"
        breaks ["REAUTH-03"] may ["SECRET-06"]
    ExchangesTwice "exchanges-twice" "exchanges the code of a reconnection a second time, to be sure"
        breaks ["REAUTH-04"] may ["REAUTH-08" "RECOVER-01" "RECOVER-02" "RECOVER-05" "MARK-01" "MARK-03" "RACE-05" "RACE-06" "RACE-10" "ROTATE-04" "PURGE-01" "DETECT-05" "PROMPT-03" "REAUTH-07" "REFRESH-13" "RECOVER-06"]
    IgnoresState "ignores-state" "exchanges the code of a callback whose state it did not issue"
        breaks ["REAUTH-05"] may ["REAUTH-04" "RACE-10" "REAUTH-06"]
    StaleClient "stale-client-after-reconnect" "goes on with the access token from before a reconnection until it is restarted"
        breaks ["REAUTH-08"] may ["PURGE-01" "RECOVER-01" "RECOVER-02" "RECOVER-03" "RECOVER-05" "MARK-01" "MARK-03" "RACE-05" "RACE-10" "STOP-01" "ROTATE-04" "REFRESH-04" "RACE-06"]
    ReconnectNotPersisted "reconnect-not-persisted" "keeps the pair of a reconnection in memory only"
        breaks ["REAUTH-08"] may ["MARK-03" "RACE-05" "RACE-10" "REFRESH-03" "REFRESH-13" "RECOVER-01" "RECOVER-02" "PURGE-03" "PURGE-04" "RACE-06"]
    StaysPaused "stays-paused" "leaves the queue paused after a reconnection until it is restarted"
        breaks ["RECOVER-01"] may ["RECOVER-02" "RECOVER-05" "REAUTH-08" "RACE-05" "ROTATE-04" "MARK-03"]
    SeenBeforeDelivered "seen-before-delivered" "notes a unit as reported before it is: an interruption loses it"
        breaks ["RECOVER-02"] may ["RECOVER-05" "DETECT-04" "RACE-11"]
    DropsQueue "drops-queue-while-disconnected" "accepts work while disconnected and forgets it; the jobs of that time are acknowledged without their items"
        breaks ["RECOVER-02"] may ["RECOVER-01" "RECOVER-05"]
    ReportsAgain "reports-again" "reports all units again after a reconnection"
        breaks ["RECOVER-03"] may []
    WipesSettings "wipes-settings" "resets the user's settings when the grant ends"
        breaks ["RECOVER-04"] may ["REAUTH-11" "PURGE-07"]
    CursorToNow "cursor-to-now" "ignores after a reconnection what came into being before it"
        breaks ["RECOVER-05"] may ["RECOVER-02" "RECOVER-01" "RECOVER-06"]
    DiesOnRefusal "dies-on-refusal" "exits when a refresh is refused"
        breaks ["RECOVER-08"] may ["RECOVER-07" "RECOVER-09" "RECOVER-04" "MARK-01" "PROMPT-01" "PROMPT-02"]
    HangsOnRefusal "hangs-on-refusal" "answers no request any more once a refresh was refused"
        breaks ["RECOVER-08"] may ["RECOVER-07" "RECOVER-01" "RECOVER-02" "RECOVER-04" "RECOVER-09" "MARK-01" "PROMPT-01" "PROMPT-02"]
    Silent "silent" "logs nothing of refused refreshes and lost connections"
        breaks ["LOG-01" "LOG-02" "LOG-03"] may ["LOG-04" "LOG-05" "LOG-07" "PROMPT-04" "ROTATE-03" "ROTATE-07"]
    LogsNoReason "logs-no-reason" "logs that a refresh failed, never why"
        breaks ["LOG-01"] may ["LOG-04" "LOG-07" "ROTATE-07" "LOG-02"]
    NoDetectionLine "no-detection-line" "logs the failed request, but neither what it means nor the call for reauthentication"
        breaks ["LOG-02" "LOG-03"] may ["LOG-04" "PROMPT-04"]
    NoReauthLine "no-reauth-line" "does not log that reauthentication was called for"
        breaks ["LOG-03"] may ["LOG-04" "PROMPT-04"]
    PurgesOn503 "purges-on-503" "takes a passing fault of the token endpoint as the end of the grant"
        breaks ["RETRY-01"] may ["PROMPT-03" "RETRY-02" "RETRY-03" "RETRY-04" "RETRY-05" "RETRY-06" "RETRY-07" "MARK-01" "DETECT-08" "REFRESH-06" "RACE-03" "RECOVER-01" "RECOVER-02" "REFRESH-07"]
    HammersOn503 "hammers-on-503" "repeats a refresh 25 times without a pause when the token endpoint is unavailable"
        breaks ["RETRY-02"] may ["RETRY-03" "RETRY-07" "LOG-06"]
    NeedsRestartAfterBlip "needs-restart-after-blip" "gives up for good, until a restart, after a passing fault"
        breaks ["RETRY-04"] may ["RECOVER-01" "RECOVER-02" "RETRY-03" "RETRY-05" "RETRY-06" "DETECT-08" "REFRESH-06"]
    SecretBothWays "secret-both-ways" "sends the client secret in the header and in the body of a refresh"
        breaks ["REFRESH-01"] may ["DETECT-04" "PROMPT-03" "MARK-01" "REFRESH-02" "REFRESH-03" "REFRESH-04" "REFRESH-06" "REFRESH-07" "REFRESH-13" "RETRY-01" "RETRY-04" "RACE-03" "RACE-11" "RECOVER-02" "DETECT-05" "DETECT-06" "PURGE-08" "REFRESH-05" "ROTATE-03" "ROTATE-04"]
    JsonRefresh "json-refresh" "sends the refresh as JSON"
        breaks ["REFRESH-01"] may ["DETECT-04" "PROMPT-03" "MARK-01" "REFRESH-02" "REFRESH-03" "REFRESH-04" "REFRESH-06" "REFRESH-07" "REFRESH-13" "RETRY-01" "RETRY-04" "RACE-03" "RACE-11" "RECOVER-02" "DETECT-05" "DETECT-06" "PURGE-08" "REFRESH-05" "ROTATE-03" "ROTATE-04" "RACE-10" "REAUTH-07" "REAUTH-06"]
    KeepsOldRefreshToken "keeps-old-refresh-token" "stores the new access token but not the new refresh token"
        breaks ["REFRESH-02"] may ["PURGE-08" "PROMPT-03" "REFRESH-03" "REFRESH-04" "REFRESH-06" "REFRESH-13" "DETECT-04" "DETECT-05" "STOP-02" "RETRY-04" "RACE-03" "RACE-11" "RECOVER-02" "REFRESH-05" "REFRESH-01" "DETECT-06" "ROTATE-06" "RACE-07"]
    KeepsOldAccessToken "keeps-old-access-token" "stores the new refresh token but not the new access token"
        breaks ["REFRESH-02"] may ["PURGE-08" "DETECT-04" "DETECT-05" "PURGE-01" "REFRESH-03" "REFRESH-04" "REFRESH-06" "REFRESH-13" "RETRY-04" "RACE-03" "RACE-11" "RECOVER-02" "RECOVER-01" "REFRESH-07" "MARK-01" "REFRESH-09" "REFRESH-05" "ROTATE-04" "RACE-07"]
    SavesLate "saves-late" "writes a refreshed pair to the store only at an orderly stop"
        breaks ["REFRESH-03"] may ["PURGE-08" "PURGE-02" "REFRESH-13" "RACE-07" "RECOVER-02" "PROMPT-03" "STOP-02" "SECRET-04"]
    SavesInTwoSteps "saves-in-two-steps" "writes a refreshed access token at once, and the refresh token a while later"
        breaks ["RACE-07"] may ["REFRESH-02" "REFRESH-03" "PURGE-02" "PURGE-08" "DETECT-04" "RECOVER-01" "RECOVER-02" "PROMPT-03" "RACE-03" "RACE-04" "REFRESH-13" "STOP-02"]
    TokenInQuery "token-in-query" "sends the access token in the query of one of its API calls as well"
        breaks ["REFRESH-08" "SECRET-02"] may []
    NoSingleFlight "no-single-flight" "lets every caller refresh for itself"
        breaks ["RACE-01"] may ["RACE-03" "RACE-04" "RACE-08" "RACE-11" "PROMPT-03" "STOP-02" "DETECT-05" "REFRESH-09" "RETRY-02" "LOG-04" "RECOVER-02" "REFRESH-07" "ROTATE-04" "RACE-02"]
    WaitersFail "waiters-fail" "drops the work of whoever would have to wait for a refresh; the jobs of that time are acknowledged without their items"
        breaks ["RACE-03"] may ["RECOVER-01" "RECOVER-02" "RECOVER-05" "RACE-11" "ROTATE-04"]
    InvalidClientLoop "invalid-client-loop" "goes on presenting credentials that Pleo refused"
        breaks ["ROTATE-01"] may ["STOP-02" "STOP-07" "RETRY-02" "LOG-06"]
    BlamesTheSecret "blames-the-secret" "takes invalid_grant under a new client secret as a configuration fault and stays connected"
        breaks ["ROTATE-07"] may ["DETECT-01" "STOP-02" "STOP-07" "MARK-01" "MARK-02" "PROMPT-01" "PROMPT-02" "PURGE-02" "PURGE-03" "PURGE-04" "LOG-02" "LOG-03" "PURGE-01"]
    LogsTokens "logs-tokens" "logs the token answer"
        breaks ["SECRET-01"] may []
    LogsRefreshRequest "logs-refresh-request" "logs the body of a refresh"
        breaks ["SECRET-01"] may []
    LogsSecretBase64 "logs-secret-base64" "logs the Authorization header of token requests"
        breaks ["SECRET-01"] may []

    LoopsOn401 "loops-on-401" "refreshes and repeats up to ten times while the API answers 401"
        breaks ["DETECT-05"] may ["REFRESH-09" "LOG-06"]
    PurgesOn403 "purges-on-403" "takes an API 403 as the end of the grant"
        breaks ["DETECT-06"] may ["PROMPT-03" "REFRESH-11" "MARK-01" "DETECT-05"]
    StoresUnusableAnswers "stores-unusable-answers" "stores whatever a 2xx token answer holds, even when there is no token in it"
        breaks ["DETECT-08"] may ["REAUTH-07" "REFRESH-06" "RETRY-01" "RETRY-04" "PROMPT-03" "MARK-01" "REFRESH-07"]
    KeepsTokenHistory "keeps-token-history" "keeps every pair it ever had"
        breaks ["PURGE-08"] may ["PURGE-03" "PURGE-04" "PURGE-05" "PURGE-09" "ROTATE-07"]
    LeavesWithoutGoodbye "leaves-without-goodbye" "neither purges nor tells Pleo when the user disconnects"
        breaks ["PURGE-09"] may ["MARK-01" "STOP-01" "RACE-06"]
    DenialDisconnects "denial-disconnects" "forgets the connection when the user denies consent"
        breaks ["REAUTH-06"] may ["MARK-01" "PROMPT-01" "PROMPT-02"]
    FailedExchangeOverwrites "failed-exchange-overwrites" "forgets the stored tokens before it exchanges a code"
        breaks ["REAUTH-07"] may ["REAUTH-06" "REAUTH-05" "RACE-10"]
    ForgetsPlace "forgets-place" "brings the user to the front page after a login, wherever they came from"
        breaks ["REAUTH-09"] may []
    StartsTwice "starts-twice" "sends a second started event for a job that is in progress"
        breaks ["RECOVER-06"] may []
    BlocksWhileRefreshing "blocks-while-refreshing" "answers its users only when no refresh is in flight"
        breaks ["RECOVER-07"] may ["RECOVER-08" "RACE-01" "RACE-03" "RETRY-05" "PURGE-09" "RACE-06" "RACE-05" "RACE-11"]
    WipesRecords "wipes-records" "deletes what it fetched when the grant ends"
        breaks ["RECOVER-09"] may ["PURGE-07"]
    IgnoresRetryAfter "ignores-retry-after" "does not heed Retry-After"
        breaks ["RETRY-03"] may []
    NoTimeLimit "no-time-limit" "waits for the token endpoint as long as it takes"
        breaks ["RETRY-05"] may ["RECOVER-01" "RECOVER-02" "RETRY-04" "RACE-03"]
    FollowsRedirects "follows-redirects" "follows a redirect of the token endpoint to wherever it leads"
        breaks ["RETRY-06"] may ["REFRESH-01"]
    HammersOnLostReply "hammers-on-lost-reply" "repeats a refresh 25 times when its reply was lost"
        breaks ["RETRY-07"] may ["RETRY-02" "LOG-06"]
    IgnoresExpiry "ignores-expiry" "refreshes only when the API answers 401"
        breaks ["REFRESH-04"] may []
    CleansTokens "cleans-tokens" "drops what is no letter, digit, dot, dash or underscore from tokens"
        breaks ["REFRESH-05"] may ["PROMPT-03" "REFRESH-01" "REFRESH-02" "MARK-01" "RETRY-04" "REFRESH-06" "REFRESH-07"]
    ForgetsRefreshToken "forgets-refresh-token" "stores no refresh token when an answer carries none"
        breaks ["REFRESH-07"] may ["PROMPT-03" "MARK-01"]
    StandsStill "stands-still-without-refresh-token" "does nothing any more, and says nothing, when an answer carried no refresh token"
        breaks ["REFRESH-07"] may ["RACE-11" "RECOVER-02" "LOG-05" "DETECT-04" "MARK-01" "PROMPT-03"]
    Introspects "introspects" "asks the introspection endpoint before every API call"
        breaks ["REFRESH-10"] may []
    TriesBothStyles "tries-both-styles" "repeats a refused refresh at once with the secret in the body"
        breaks ["REFRESH-12"] may ["STOP-02" "STOP-07" "ROTATE-01"]
    LateAnswerWins "late-answer-wins" "lets the answer to an old refresh undo a reconnection or a disconnection"
        breaks ["RACE-05" "RACE-06"] may ["RACE-04" "REAUTH-08" "MARK-01" "PURGE-09" "RECOVER-01"]
    NoReplay "no-replay" "tells whoever asks what came of it, and does not repeat a call that met 401 while another refreshed: an error"
        breaks ["RACE-11"] may ["DETECT-04" "RACE-03"]
    HidesRefusedCredentials "hides-refused-credentials" "stays connected in its status when Pleo refuses its credentials"
        breaks ["ROTATE-02"] may ["ROTATE-01" "STOP-02" "STOP-07"]
    MumblesOfCredentials "mumbles-of-credentials" "does not log that Pleo refused its credentials"
        breaks ["ROTATE-03"] may ["LOG-01"]
    ShowsToken "shows-token" "shows the access token on its page"
        breaks ["SECRET-03"] may ["PROMPT-03"]
    WorldReadable "world-readable" "keeps its tokens in the clear in a file that every user of the machine may read"
        breaks ["SECRET-05"] may ["SECRET-04"]
    OpensAnotherWay "opens-another-way" "asks for tokens with its own credentials once the user's grant is over"
        breaks ["STOP-06"] may ["ROTATE-01"]
    LeavesResidue "leaves-residue" "keeps its tokens in the clear and does not overwrite what it deletes"
        breaks ["PURGE-05"] may ["SECRET-04"]
    LogsNoAttempts "logs-no-attempts" "logs no refresh that it begins and none that succeeds"
        breaks ["LOG-05"] may []
    Chatters "chatters" "logs a hundred lines whenever work is held"
        breaks ["LOG-06"] may []
    Whispers "whispers" "logs a refused refresh as information, like any other"
        breaks ["LOG-07"] may ["LOG-04"]
    RefreshesEachCall "refreshes-each-call" "refreshes before every call but the first"
        breaks ["REFRESH-09"] may ["RACE-11" "DETECT-05" "LOG-06" "RETRY-02"]
    KeepsFirstExpiry "keeps-first-expiry" "notes when the access token ends at the login, and never again"
        breaks ["REFRESH-04" "REFRESH-09"] may ["REFRESH-06" "RACE-11" "DETECT-05" "RETRY-02"]
    NeedsALifetime "needs-a-lifetime" "takes a token answer without a lifetime for none"
        breaks ["REFRESH-06"] may ["PROMPT-03" "MARK-01" "REFRESH-01"]
    BelievesJwt "believes-jwt" "reads the expiry out of access tokens that look like a JWT"
        breaks ["REFRESH-05"] may ["PROMPT-03" "REFRESH-09" "RETRY-02"]
    HammersOn403 "hammers-on-403" "repeats a call that Pleo forbids twenty times"
        breaks ["REFRESH-11"] may ["LOG-06" "DETECT-05" "DETECT-06"]
    KeepsVerifier "keeps-verifier" "writes verifier and code of a login down and leaves them there"
        breaks ["SECRET-06"] may []
    AddsConnection "adds-connection" "makes a second connection of a reconnection"
        breaks ["REAUTH-11"] may []
    GraftsCompany "grafts-company" "goes on with whatever company a reconnection was for"
        breaks ["REAUTH-10"] may []
    LogsCode "logs-code" "logs the query of the callback"
        breaks ["SECRET-07"] may []
    PurgesAll "purges-all-connections" "purges every connection's tokens when one grant ends"
        breaks ["PURGE-07"] may ["MARK-04" "RECOVER-02" "RECOVER-05" "PROMPT-03" "RETRY-01"]
    MarksAll "marks-all-connections" "shows every connection as unauthenticated when one grant ends"
        breaks ["MARK-04"] may ["PROMPT-03"]
    ClearTextStore "clear-text-store" "keeps its tokens in the clear in its database"
        breaks ["SECRET-04"] may []
    LogsOnce "logs-once" "logs the end of a grant only the first time"
        breaks ["LOG-04"] may ["LOG-01" "LOG-02" "LOG-03" "LOG-07" "PROMPT-04"]
    Nags "nags" "calls for reauthentication with each piece of work that it holds"
        breaks ["PROMPT-04"] may []
    LongWayBack "long-way-back" "hides the way back behind five pages"
        breaks ["REAUTH-12"] may ["PROMPT-01" "REAUTH-09"]
    KeepsUnlessHeard "keeps-unless-heard" "keeps the tokens of a user who disconnects when Pleo does not answer well"
        breaks ["PURGE-09"] may ["MARK-01" "STOP-01" "RACE-06"]
    CachesSecret "caches-secret" "goes on with the client secret of its first start, whatever is configured later"
        breaks ["ROTATE-04" "ROTATE-06"] may ["RECOVER-01" "RECOVER-02" "REAUTH-08"]
    EncodesSecretTwice "encodes-secret-twice" "form-encodes its client secret before a library does it again"
        breaks ["ROTATE-05"] may []
    DropsExpiredAtStart "drops-expired-at-start" "forgets at its start a pair whose access token has expired"
        breaks ["REFRESH-13"] may ["PROMPT-03" "REFRESH-04" "RECOVER-01" "RECOVER-02"]
    LoserPurges "loser-purges" "lets every caller refresh for itself, and discards whatever is stored when one of them is refused"
        breaks ["RACE-04"] may ["RACE-01" "RACE-03" "RACE-05" "RACE-08" "RACE-11" "PROMPT-03" "STOP-02" "DETECT-05" "REFRESH-07" "REFRESH-09" "RETRY-02" "LOG-04" "RECOVER-01" "RECOVER-02" "ROTATE-04" "ROTATE-06" "MARK-01" "MARK-03" "REAUTH-08" "RACE-02"]
    KeepsStates "keeps-states" "does not use up the state of a login: each delivery of its callback is exchanged"
        breaks ["RACE-10"] may ["REAUTH-04" "REAUTH-05" "REAUTH-06" "REAUTH-07" "REAUTH-08" "MARK-01" "MARK-03" "RECOVER-01" "RECOVER-02"]
    NewSecretNewLogin "new-secret-new-login" "discards its tokens when it starts with another client secret"
        breaks ["ROTATE-06"] may ["MARK-01" "PROMPT-03"]
    LocksInProcessOnly "locks-in-process-only" "lets each of its processes refresh for itself"
        breaks ["RACE-02"] may []
    RemembersInProcessOnly "remembers-in-process-only" "does not see in one process that another one has ended the connection"
        breaks ["STOP-05"] may []
    LeaseWithoutFencing "lease-without-fencing" "locks among its processes by a lease that runs out while its holder sleeps, who then stores what it has"
        breaks ["RACE-09"] may ["RACE-02"]
    ReportIsNotRepeated "report-is-not-repeated" "refreshes when a report meets 401, and takes it for made without repeating it"
        breaks ["RECOVER-02"] may []
    EndsWithItsCaller "ends-with-its-caller" "works, and refreshes, in the request that asks for it, and drops that when the caller hangs up"
        breaks ["RACE-12"] may []
    WritesAllBack "writes-all-back" "reads all connections before it refreshes one, and writes all of them back"
        breaks ["RACE-13"] may []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_defect_is_planted_by_its_name_and_alone() {
        for (place, defect) in defects().iter().enumerate() {
            let mut flaws = Flaws::default();
            assert!(flaws.plant(defect.name), "{}", defect.name);
            assert_eq!(flaws, Flaws(1 << place), "{}", defect.name);
        }
        assert!(!Flaws::default().plant("none-of-them"));
    }

    #[test]
    fn no_requirement_is_named_twice_for_a_defect_and_each_defect_breaks_one() {
        for defect in defects() {
            assert!(!defect.breaks.is_empty(), "{}", defect.name);
            let mut named: Vec<_> = defect.breaks.iter().chain(defect.may).collect();
            named.sort();
            named.dedup();
            assert_eq!(named.len(), defect.breaks.len() + defect.may.len(), "{}", defect.name);
        }
    }
}
