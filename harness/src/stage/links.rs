//! The subject's connections: each is another company's grant, known to the subject by a name of its own.

use regrant_mock_server::{authority::GrantId, control::Target};

use super::cast::Cast;
use crate::{evidence::Connection, subject::Bindings};

/// One connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    /// Its name in `features.connections`; none: the subject has one only.
    name: Option<Connection>,
    /// The grant that the user gave last.
    grant: Option<GrantId>,
    /// The company for which the user consented last, if it is not the connection's own: its place.
    elsewhere: Option<usize>,
}

/// The connections that a story has: as many as it asks for, or the one.
pub(super) fn links(declared: Option<&[Connection]>, wanted: u32) -> Vec<Link> {
    let named = |name: &Connection| Link { name: Some(name.clone()), ..Link::default() };
    let links: Vec<Link> = declared.unwrap_or_default().iter().take(wanted.max(1) as usize).map(named).collect();
    if links.is_empty() { vec![Link::default()] } else { links }
}

impl Cast {
    /// Every connection, by its place.
    pub(super) fn all_links(&self) -> std::ops::Range<usize> {
        0..self.links.len()
    }

    /// The place of a connection as scenarios count them; the first unless told otherwise.
    pub(super) fn link(&self, number: Option<u32>) -> usize {
        number.map_or(0, |number| (number.saturating_sub(1) as usize).min(self.links.len().saturating_sub(1)))
    }

    /// What evidence calls it; nothing where there is only one.
    pub(super) fn named(&self, link: usize) -> Option<Connection> {
        (self.links.len() > 1).then(|| self.links.get(link).and_then(|link| link.name.clone())).flatten()
    }

    /// The placeholders, with the connection's name.
    pub(super) fn bound_to(&self, link: usize) -> Bindings {
        let name = self.links.get(link).and_then(|link| link.name.clone()).unwrap_or_default();
        self.bindings.with("connection", name)
    }

    /// The connection was made anew: the newest grant is its own.
    pub(super) fn note_grant(&mut self, link: usize) {
        let newest = self.control().grants().last().map(|grant| grant.id);
        if let Some(link) = self.links.get_mut(link) {
            link.grant = newest.or(link.grant);
        }
    }

    /// The company in which work comes into being for a connection: the one that its user consented for last.
    pub(super) fn company(&self, link: usize) -> usize {
        self.links.get(link).and_then(|it| it.elsewhere).unwrap_or(link)
    }

    /// Whether some connection was last connected with another company's grant: what the subject does then is its own affair.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.links.iter().any(|link| link.elsewhere.is_some())
    }

    /// The user of a company is about to consent. What was taken on for another one is not waited for any more.
    pub(super) fn consents_for(&mut self, link: usize, company: usize) {
        let elsewhere = Some(company).filter(|company| *company != link);
        if self.links.get(link).is_some_and(|it| it.elsewhere != elsewhere) {
            self.give_up();
        }
        if let Some(it) = self.links.get_mut(link) {
            it.elsewhere = elsewhere;
        }
    }

    /// What is done to a connection is done to its grant; without a number, to every grant.
    pub(super) fn target(&self, number: Option<u32>) -> Target {
        let grant = number.and_then(|_| self.links.get(self.link(number))).and_then(|link| link.grant);
        grant.map_or(Target::All, Target::Grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_has_as_many_connections_as_it_asks_for() {
        let declared = ["acme".to_owned(), "globex".to_owned()];
        let names = |wanted| links(Some(&declared), wanted).into_iter().map(|link| link.name).collect::<Vec<_>>();
        assert_eq!(names(1), [Some("acme".to_owned())]);
        assert_eq!(names(2), [Some("acme".to_owned()), Some("globex".to_owned())]);
        assert_eq!(links(None, 1).len(), 1);
    }
}
