//! Which rule decides.

use super::*;

fn matching(nth: Option<u32>, times: Option<u32>) -> Match {
    Match { endpoint: Some(Endpoint::Token), nth, times, ..Match::default() }
}

fn rule(on: Match, fate: Fate) -> Rule {
    Rule { on, at: Point::Arrived, fate, until: None }
}

fn token() -> Facets<'static> {
    Facets { endpoint: Endpoint::Token, grant: Some("refresh_token"), path: "/oauth/token", method: "POST" }
}

fn install(rules: &mut Rules, on: Match, fate: Fate) -> RuleId {
    rules.install(rule(on, fate), Moment::default())
}

fn take(rules: &mut Rules) -> Option<(RuleId, Fate)> {
    rules.take(Point::Arrived, token(), Who::default, Moment::default())
}

fn at(seconds: u64) -> Moment {
    Moment { real: Duration::from_secs(seconds), provider: Time(seconds * 1000) }
}

#[test]
fn the_nth_rule_meets_the_nth_request_only() {
    let mut rules = Rules::default();
    let id = install(&mut rules, matching(Some(2), None), Fate::Drop);
    assert_eq!(take(&mut rules), None);
    assert_eq!(take(&mut rules), Some((id, Fate::Drop)));
    assert_eq!(take(&mut rules), None);
}

#[test]
fn a_rule_that_is_used_up_leaves_the_way_to_the_next() {
    let mut rules = Rules::default();
    let first = install(&mut rules, matching(None, Some(1)), Fate::Drop);
    let second = install(&mut rules, matching(None, None), Fate::Hang);
    assert_eq!(take(&mut rules), Some((first, Fate::Drop)));
    assert_eq!(take(&mut rules), Some((second, Fate::Hang)));
}

#[test]
fn a_rule_counts_from_its_nth_request_so_many_times() {
    let mut rules = Rules::default();
    install(&mut rules, matching(Some(2), Some(2)), Fate::Drop);
    let met: Vec<bool> = (0..4).map(|_| take(&mut rules).is_some()).collect();
    assert_eq!(met, [false, true, true, false]);
}

#[test]
fn other_points_and_other_requests_do_not_count() {
    let mut rules = Rules::default();
    install(&mut rules, matching(Some(1), None), Fate::Drop);
    assert_eq!(rules.take(Point::Committed, token(), Who::default, at(0)), None);
    assert_eq!(rules.take(Point::Arrived, Facets { endpoint: Endpoint::Api, ..token() }, Who::default, at(0)), None);
    assert!(take(&mut rules).is_some());
}

#[test]
fn the_special_goes_before_the_general_and_the_old_before_the_new() {
    let mut rules = Rules::default();
    let general = install(&mut rules, Match::default(), Fate::Drop);
    let special = install(&mut rules, Match { grant: Some("refresh_token".into()), ..matching(None, None) }, Fate::Hang);
    let newer = install(&mut rules, Match { method: Some("post".into()), ..matching(None, None) }, Fate::Reset);
    assert_eq!(take(&mut rules), Some((special, Fate::Hang)));
    assert!(rules.remove(special));
    assert_eq!(take(&mut rules), Some((newer, Fate::Reset)));
    assert!(rules.remove(newer));
    assert_eq!(take(&mut rules), Some((general, Fate::Drop)));
}

#[test]
fn a_window_opens_and_closes_by_its_clock() {
    let window =
        |clock| Match { from: Some(Duration::from_secs(10)), lasting: Some(Duration::from_secs(5)), clock, ..matching(None, None) };
    let mut rules = Rules::default();
    rules.install(rule(window(None), Fate::Drop), at(100));
    let mut met = |moment| rules.take(Point::Arrived, token(), Who::default, moment).is_some();
    assert_eq!([109, 110, 114, 115].map(|second| met(at(second))), [false, true, true, false]);
    assert!(met(Moment { real: at(100).real, provider: at(112).provider }), "the provider's clock was moved");
    let mut rules = Rules::default();
    rules.install(rule(window(Some(WindowClock::Real)), Fate::Drop), at(100));
    assert_eq!(rules.take(Point::Arrived, token(), Who::default, Moment { real: at(100).real, ..at(112) }), None);
}

#[test]
fn what_falls_outside_a_window_is_not_counted() {
    let on = Match { from: Some(Duration::from_secs(10)), ..matching(Some(1), None) };
    let mut rules = Rules::default();
    rules.install(rule(on, Fate::Drop), at(0));
    assert_eq!(rules.take(Point::Arrived, token(), Who::default, at(9)), None);
    assert!(rules.take(Point::Arrived, token(), Who::default, at(10)).is_some());
}

#[test]
fn chance_is_the_same_for_the_same_seed() {
    let thrown = |seed| {
        let mut rules = Rules::new(seed);
        install(&mut rules, Match { probability: Some(0.3), ..matching(None, None) }, Fate::Drop);
        (0..1000).map(|_| take(&mut rules).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(thrown(7), thrown(7));
    assert_ne!(thrown(7), thrown(8));
    let hits = thrown(7).into_iter().filter(|hit| *hit).count();
    assert!((220..380).contains(&hits), "{hits} of 1000");
}

#[test]
fn certainty_and_impossibility_are_exact() {
    for (probability, wanted) in [(0.0, 0), (1.0, 100)] {
        let mut rules = Rules::new(7);
        install(&mut rules, Match { probability: Some(probability), ..matching(None, None) }, Fate::Drop);
        assert_eq!((0..100).filter(|_| take(&mut rules).is_some()).count(), wanted);
    }
}

#[test]
fn who_presents_what_is_asked_once_and_only_where_a_rule_wants_to_know() {
    let mut rules = Rules::default();
    install(&mut rules, Match { company: Some(1), ..matching(None, None) }, Fate::Drop);
    install(&mut rules, Match { generation: Some(2), ..matching(None, None) }, Fate::Hang);
    let mut asked = 0;
    let who = Who { client: Some("crm".into()), company: Some(0), generation: Some(2) };
    let mut taken = |facets| {
        let ask = || {
            asked += 1;
            who.clone()
        };
        rules.take(Point::Arrived, facets, ask, at(0)).map(|(_, fate)| fate)
    };
    assert_eq!(taken(token()), Some(Fate::Hang));
    assert_eq!(taken(Facets { endpoint: Endpoint::Api, ..token() }), None);
    assert_eq!(asked, 1);
}

#[test]
fn that_there_is_no_rule_is_known_without_the_rules() {
    let mut rules = Rules::default();
    let count = rules.count();
    assert!(count.is_zero());
    let id = install(&mut rules, Match::default(), Fate::Drop);
    assert!(!count.is_zero());
    rules.remove(id);
    assert!(count.is_zero());
}
