//! The exit status: a documented, public type, and the one place where its precedence is written.

/// What `regrant` tells its caller by its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// 130: the user cancelled.
    Cancelled,
    /// 2: usage or manifest error, or nothing selected.
    Usage,
    /// 1: a requirement that counts failed, or a baseline entry is stale.
    Failed,
    /// 5: the harness itself failed.
    HarnessFault,
    /// 3: the surroundings failed; the subject did not start, or a probe broke.
    Environment,
    /// 4: a requirement that counts stayed undecided.
    Undecided,
    /// 0.
    Clean,
}

impl ExitStatus {
    /// In the order in which they take precedence: the first that holds is the run's.
    pub const PRECEDENCE: [Self; 7] =
        [Self::Cancelled, Self::Usage, Self::Failed, Self::HarnessFault, Self::Environment, Self::Undecided, Self::Clean];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Cancelled => 130,
            Self::Usage => 2,
            Self::Failed => 1,
            Self::HarnessFault => 5,
            Self::Environment => 3,
            Self::Undecided => 4,
            Self::Clean => 0,
        }
    }

    /// What it means, for the summary line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Usage => "usage or manifest error",
            Self::Failed => "requirements failed",
            Self::HarnessFault => "the harness failed",
            Self::Environment => "the surroundings failed",
            Self::Undecided => "requirements stayed undecided",
            Self::Clean => "nothing that counts failed",
        }
    }
}

/// Whether something happened to requirements of severity error, warning, advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BySeverity {
    /// To one of severity error.
    pub error: bool,
    /// To one of severity warning.
    pub warning: bool,
    /// To one of severity advice.
    pub advice: bool,
}

impl BySeverity {
    /// Whether it counts: errors always, warnings under `--strict`, advice never.
    fn counts(self, strict: bool) -> bool {
        self.error || (strict && self.warning)
    }
}

/// All that the exit status depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grounds {
    /// The user cancelled.
    pub cancelled: bool,
    /// The command line or the manifest is wrong, or nothing was selected.
    pub usage: bool,
    /// Requirements failed.
    pub failed: BySeverity,
    /// A baseline entry passes, or its date is over.
    pub stale_baseline: bool,
    /// Something is a harness fault.
    pub harness_fault: bool,
    /// The surroundings failed.
    pub environment: bool,
    /// Requirements stayed undecided.
    pub undecided: BySeverity,
    /// `--strict`.
    pub strict: bool,
    /// `--allow-undecided`.
    pub allow_undecided: bool,
}

/// The first status of [`ExitStatus::PRECEDENCE`] that holds.
#[must_use]
pub fn exit_status(grounds: &Grounds) -> ExitStatus {
    ExitStatus::PRECEDENCE.into_iter().find(|status| holds(*status, grounds)).unwrap_or(ExitStatus::Clean)
}

fn holds(status: ExitStatus, grounds: &Grounds) -> bool {
    match status {
        ExitStatus::Cancelled => grounds.cancelled,
        ExitStatus::Usage => grounds.usage,
        ExitStatus::Failed => grounds.failed.counts(grounds.strict) || grounds.stale_baseline,
        ExitStatus::HarnessFault => grounds.harness_fault,
        ExitStatus::Environment => grounds.environment,
        ExitStatus::Undecided => grounds.undecided.counts(grounds.strict) && !grounds.allow_undecided,
        ExitStatus::Clean => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: BySeverity = BySeverity { error: true, warning: false, advice: false };
    const WARNING: BySeverity = BySeverity { error: false, warning: true, advice: false };
    const ADVICE: BySeverity = BySeverity { error: false, warning: false, advice: true };

    /// Everything that can go wrong at once; each row of the table takes one ground away.
    fn all() -> Grounds {
        Grounds {
            cancelled: true,
            usage: true,
            failed: ERROR,
            stale_baseline: true,
            harness_fault: true,
            environment: true,
            undecided: ERROR,
            strict: false,
            allow_undecided: false,
        }
    }

    #[test]
    fn each_row_of_the_table_holds_once_the_rows_above_it_do_not() {
        let mut grounds = all();
        assert_eq!(exit_status(&grounds).code(), 130);
        grounds.cancelled = false;
        assert_eq!(exit_status(&grounds).code(), 2);
        grounds.usage = false;
        assert_eq!(exit_status(&grounds).code(), 1);
        grounds.failed = BySeverity::default();
        assert_eq!(exit_status(&grounds).code(), 1, "a stale baseline entry alone is a failure");
        grounds.stale_baseline = false;
        assert_eq!(exit_status(&grounds).code(), 5);
        grounds.harness_fault = false;
        assert_eq!(exit_status(&grounds).code(), 3);
        grounds.environment = false;
        assert_eq!(exit_status(&grounds).code(), 4);
        grounds.undecided = BySeverity::default();
        assert_eq!(exit_status(&grounds).code(), 0);
    }

    #[test]
    fn a_failed_warning_counts_under_strict_only() {
        let grounds = Grounds { failed: WARNING, ..Grounds::default() };
        assert_eq!(exit_status(&grounds), ExitStatus::Clean);
        assert_eq!(exit_status(&Grounds { strict: true, ..grounds }), ExitStatus::Failed);
    }

    #[test]
    fn an_undecided_warning_counts_under_strict_only() {
        let grounds = Grounds { undecided: WARNING, ..Grounds::default() };
        assert_eq!(exit_status(&grounds), ExitStatus::Clean);
        assert_eq!(exit_status(&Grounds { strict: true, ..grounds }), ExitStatus::Undecided);
    }

    #[test]
    fn advice_never_counts() {
        let grounds = Grounds { failed: ADVICE, undecided: ADVICE, strict: true, ..Grounds::default() };
        assert_eq!(exit_status(&grounds), ExitStatus::Clean);
    }

    #[test]
    fn allow_undecided_turns_4_into_0_and_nothing_else() {
        let allowed = Grounds { undecided: ERROR, allow_undecided: true, ..Grounds::default() };
        assert_eq!(exit_status(&allowed), ExitStatus::Clean);
        assert_eq!(exit_status(&Grounds { strict: true, ..allowed }), ExitStatus::Clean);
        assert_eq!(exit_status(&Grounds { failed: ERROR, ..allowed }), ExitStatus::Failed);
        assert_eq!(exit_status(&Grounds { environment: true, ..allowed }), ExitStatus::Environment);
        assert_eq!(exit_status(&Grounds { harness_fault: true, ..allowed }), ExitStatus::HarnessFault);
        assert_eq!(exit_status(&Grounds { cancelled: true, ..allowed }), ExitStatus::Cancelled);
    }

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let codes: Vec<u8> = ExitStatus::PRECEDENCE.into_iter().map(ExitStatus::code).collect();
        assert_eq!(codes, [130, 2, 1, 5, 3, 4, 0]);
    }
}
