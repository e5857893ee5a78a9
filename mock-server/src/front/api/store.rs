//! What the API knows: companies, employees, export jobs, installations. All ids come from the seed.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use regrant_authority::{Company as CompanyId, Time, User};
use serde_json::Value;

use super::{super::request::Request, subscriptions::Subscriptions};
use crate::mint::Source;

/// A job that nobody touches for this long has expired (Pleo, multi-currency configuration).
pub(super) const EXPORT_JOB_LIFE: Duration = Duration::from_secs(3600);

/// All resources.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) companies: Vec<Company>,
    pub(super) employees: Vec<Employee>,
    pub(super) jobs: Vec<Job>,
    /// Status by client.
    pub(super) installations: HashMap<String, Installation>,
    /// Who is told of what.
    pub(crate) subscriptions: Subscriptions,
    units: HashSet<String>,
}

#[derive(Debug)]
pub(super) struct Company {
    pub(super) id: CompanyId,
    pub(super) name: String,
    /// Who consents for it.
    pub(super) user: User,
}

#[derive(Debug)]
pub(super) struct Employee {
    pub(super) id: String,
    pub(super) company: CompanyId,
    pub(super) first: &'static str,
    pub(super) last: String,
    pub(super) email: String,
    pub(super) code: String,
}

/// An export job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) company: CompanyId,
    pub(super) status: JobStatus,
    pub(super) created: Time,
    pub(super) updated: Time,
    pub(super) started: Option<Time>,
    pub(super) completed: Option<Time>,
    pub(super) expired: Option<Time>,
    pub(super) failure: Option<(String, String)>,
    pub(super) entries: Vec<Entry>,
}

/// An accounting entry in a job.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) status: String,
    /// What the integration said of it besides.
    pub(super) said: serde_json::Map<String, Value>,
    /// In cents.
    pub(super) amount: u64,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobStatus {
    Pending,
    InProgress,
    Failed,
    Completed,
    CompletedWithErrors,
}

/// A client's installation.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) created: Time,
    pub(super) updated: Time,
    pub(super) metadata: Value,
}

const COMPANIES: [&str; 2] = ["Acme", "Globex"];
const FIRST_NAMES: [&str; 6] = ["Ada", "Bela", "Cora", "Dag", "Edda", "Finn"];

impl Store {
    /// Two companies with a few employees each.
    pub(crate) fn new(source: &mut Source) -> Self {
        let company = |name: &&str| Company { id: source.uuid(), name: format!("{name} {}", source.word()), user: source.uuid() };
        let companies: Vec<Company> = COMPANIES.iter().map(company).collect();
        let mut store = Self {
            companies,
            employees: Vec::new(),
            jobs: Vec::new(),
            installations: HashMap::new(),
            subscriptions: Subscriptions::default(),
            units: HashSet::new(),
        };
        for company in 0..COMPANIES.len() {
            for _ in 0..3 {
                let _not_a_unit = store.new_employee(source, company);
            }
        }
        store
    }

    /// How many companies there are.
    pub(crate) fn companies(&self) -> usize {
        self.companies.len()
    }

    /// The place of a company; 0 is the first.
    pub(crate) fn place_of(&self, id: &str) -> Option<usize> {
        self.companies.iter().position(|company| company.id == id)
    }

    /// Who consents for a company.
    pub(crate) fn person(&self, company: usize) -> (User, CompanyId) {
        self.companies.get(company).or(self.companies.first()).map_or_else(Default::default, |c| (c.user.clone(), c.id.clone()))
    }

    pub(crate) fn company_name(&self, id: &str) -> String {
        self.companies.iter().find(|company| company.id == id).map(|company| company.name.clone()).unwrap_or_default()
    }

    /// Adds an employee; its id is the unit of work.
    pub(crate) fn add_employee(&mut self, source: &mut Source, company: usize) -> String {
        let id = self.new_employee(source, company);
        self.units.insert(id.clone());
        id
    }

    /// Adds a pending job with one entry, whose id is the unit of work.
    pub(crate) fn add_export(&mut self, source: &mut Source, now: Time, company: usize) -> String {
        let entry = source.uuid();
        self.units.insert(entry.clone());
        let company = self.person(company).1;
        self.new_job(source, now, company, vec![entry.clone()]);
        entry
    }

    /// How many jobs there are.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Adds a pending job; returns its id.
    pub(super) fn new_job(&mut self, source: &mut Source, now: Time, company: CompanyId, entries: Vec<String>) -> String {
        let id = source.uuid();
        let count = self.jobs.iter().map(|job| job.entries.len() as u64).sum::<u64>();
        let entry = |(i, id)| Entry { id, status: "pending".into(), said: serde_json::Map::new(), amount: 1000 + 25 * (count + i) };
        let entries = (0..).zip(entries).map(entry).collect();
        self.jobs.push(Job {
            id: id.clone(),
            company,
            status: JobStatus::Pending,
            created: now,
            updated: now,
            started: None,
            completed: None,
            expired: None,
            failure: None,
            entries,
        });
        id
    }

    /// Lets jobs expire that nobody touched for too long.
    pub(crate) fn expire_jobs(&mut self, now: Time) {
        for job in self.jobs.iter_mut().filter(|job| job.status.is_running() && now.since(job.updated) >= EXPORT_JOB_LIFE) {
            let at = job.updated.plus(EXPORT_JOB_LIFE);
            job.end(JobStatus::Failed, at);
            job.expired = Some(at);
            job.failure = Some(("job_expired".into(), "The job was not updated in time".into()));
        }
    }

    /// Units whose id stands in a JSON body, in the order of the body.
    pub(super) fn units_in(&self, body: &Bytes) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(value) = serde_json::from_slice(body) {
            self.collect(&value, &mut found);
        }
        found
    }

    /// Units whose id stands anywhere in a request.
    pub(super) fn units_carried(&self, request: &Request) -> Vec<String> {
        let body = String::from_utf8_lossy(&request.body);
        let query = request.query.as_deref().unwrap_or_default();
        let carried = |id: &&String| request.path.contains(*id) || query.contains(*id) || body.contains(*id);
        let mut found: Vec<String> = self.units.iter().filter(carried).cloned().collect();
        found.sort();
        found
    }

    fn collect(&self, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) if self.units.contains(text) && !found.contains(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| self.collect(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| self.collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn new_employee(&mut self, source: &mut Source, company: usize) -> String {
        let (id, word) = (source.uuid(), source.word());
        let first = FIRST_NAMES[self.employees.len() % FIRST_NAMES.len()];
        self.employees.push(Employee {
            id: id.clone(),
            company: self.person(company).1,
            first,
            last: format!("Test-{word}"),
            email: format!("{}.{word}@example.test", first.to_lowercase()),
            code: format!("E-{word}"),
        });
        id
    }
}

impl Job {
    /// Ends a job. Entries that nobody reported on are abandoned.
    pub(super) fn end(&mut self, status: JobStatus, now: Time) {
        self.status = status;
        self.updated = now;
        if matches!(status, JobStatus::Completed | JobStatus::CompletedWithErrors) {
            self.completed = Some(now);
        }
        for entry in self.entries.iter_mut().filter(|entry| matches!(entry.status.as_str(), "pending" | "in_progress")) {
            entry.status = "abandoned".into();
        }
    }
}

impl JobStatus {
    pub(super) fn is_running(self) -> bool {
        match self {
            Self::Pending | Self::InProgress => true,
            Self::Failed | Self::Completed | Self::CompletedWithErrors => false,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
        }
    }
}
