//! Whole conversations with a client that knows the truth.

use std::collections::{HashSet, VecDeque};
use std::io;

use serde_json::{Value, json};

use super::{Definition, Lines, serve};
use crate::bo::preference::Preference;
use crate::bo::problem::Kind;
use crate::bo::strategy::{Ehvi, Evolution, Random, Strategy};

/// A client that sends its questions one after another and answers those for costs.
struct Client<'a> {
    questions: VecDeque<String>,
    cost: &'a dyn Fn(&Value) -> Option<f64>,
    /// Sent before the first answer to a question for costs.
    nonsense: Vec<String>,
    asked: Option<Vec<Value>>,
    costed: HashSet<String>,
    answers: Vec<Value>,
}

impl Lines for Client<'_> {
    fn receive(&mut self) -> io::Result<Option<String>> {
        if self.asked.is_some()
            && let Some(nonsense) = self.nonsense.pop()
        {
            return Ok(Some(nonsense));
        }
        if let Some(asked) = self.asked.take() {
            let costs: Vec<_> = asked.iter().map(|params| (self.cost)(params)).collect();
            return Ok(Some(json!({ "cost": costs }).to_string()));
        }
        Ok(self.questions.pop_front())
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        let answer: Value = serde_json::from_str(line).unwrap();
        if let Some(candidates) = answer["cost"].as_array() {
            for candidate in candidates {
                assert!(self.costed.insert(candidate.to_string()), "{candidate} was asked for twice");
            }
            self.asked = Some(candidates.clone());
        } else {
            self.answers.push(answer);
        }
        Ok(())
    }
}

const PROBLEM: &str = r#"{"parameters":[{"name":"op","kind":"nominal","choices":["a","b"]},
    {"name":"k","kind":"ordinal","choices":[1,2,4,8],"scale":"log10"}],
    "objectives":[{"name":"accuracy","direction":"maximise","reference":0.0},
    {"name":"size","direction":"minimise","scale":"log10","known":true,"reference":100.0}],
    "limits":{"size":50}}"#;

#[test]
fn numbers_without_a_scale_act_on_the_one_on_which_they_are_spread_more_evenly() {
    let coordinates = |choices: &str, scale: &str| {
        let text = PROBLEM.replace(r#"[1,2,4,8],"scale":"log10""#, &format!("{choices}{scale}"));
        let dimension = Definition::parse("test", &text).unwrap().dimensions().remove(1);
        let Kind::Ordinal(coordinates) = dimension.kind else { panic!("it is ordinal") };
        coordinates
    };
    let (linear, log) = (r#","scale":"linear""#, r#","scale":"log10""#);
    for decades in ["[0.0005,0.001,0.005,0.01]", "[16,32,64,128]", "[1000,100,10]"] {
        assert_eq!(coordinates(decades, ""), coordinates(decades, log));
    }
    for steps in ["[3,5,7]", "[0,1,10,100]", "[0.0,0.3,0.6]", "[2,9]", "[5]"] {
        assert_eq!(coordinates(steps, ""), coordinates(steps, linear));
    }
    assert_eq!(coordinates("[1,10,100]", linear), [1.0, 10.0, 100.0]);
}

fn size(params: &Value) -> f64 {
    let op = if params["op"] == "a" { 10.0 } else { 3.0 };
    op * params["k"].as_f64().unwrap()
}

fn accuracy(params: &Value) -> f64 {
    size(params).sqrt() + if params["op"] == "b" { 2.0 } else { 0.0 }
}

fn converse(definition: &Definition, strategy: &dyn Strategy, client: &mut Client<'_>) -> Vec<Value> {
    serve(definition, strategy, 7, client).unwrap();
    std::mem::take(&mut client.answers)
}

fn client<'a>(cost: &'a dyn Fn(&Value) -> Option<f64>, questions: &[Value]) -> Client<'a> {
    let questions = questions.iter().map(Value::to_string).collect();
    Client { questions, cost, nonsense: Vec::new(), asked: None, costed: HashSet::new(), answers: Vec::new() }
}

/// Asks for single trials and tells them until there are none left, then for the front; returns trials and front.
fn search(definition: &Definition, strategy: &dyn Strategy) -> (Vec<Value>, Value) {
    let known = |params: &Value| Some(size(params));
    let mut trials: Vec<Value> = Vec::new();
    // A conversation depends on its lines alone, so it can be had again, one question longer.
    loop {
        let mut questions = Vec::new();
        for (id, params) in trials.iter().enumerate() {
            questions.push(json!({"ask":1}));
            questions.push(json!({"tell":[{"id":id,"values":{"accuracy":accuracy(params)}}]}));
        }
        questions.push(json!({"ask":1}));
        questions.push(json!({"front":true}));
        let mut answers = converse(definition, strategy, &mut client(&known, &questions));
        let front = answers.pop().unwrap();
        let last = answers.pop().unwrap();
        for (id, params) in trials.iter().enumerate() {
            assert_eq!(answers[2 * id], json!({"trials":[{"id":id,"params":params}]}));
            assert_eq!(answers[2 * id + 1], json!({"ok":true}));
        }
        if last == json!({"trials":[],"exhausted":true}) {
            return (trials, front);
        }
        trials.push(last["trials"][0]["params"].clone());
    }
}

#[test]
fn every_strategy_finds_each_allowed_point_once_and_the_whole_front() {
    let definition = Definition::parse("p", PROBLEM).unwrap();
    for strategy in
        [&Ehvi::new(Some(2), Preference::Uniform) as &dyn Strategy, &Evolution::default(), &Random]
    {
        let (trials, front) = search(&definition, strategy);
        let distinct: HashSet<String> = trials.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), trials.len());
        // All eight but k = 8 with op = a, of 80.
        assert_eq!(trials.len(), 7, "{}", strategy.name());
        assert!(trials.iter().all(|params| size(params) <= 50.0));
        // Steps of log10(size), the last up to the reference, times accuracy: by hand from the definition.
        let mut best: Vec<(f64, f64)> = trials.iter().map(|t| (size(t), accuracy(t))).collect();
        best.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut level = 0.0;
        best.retain(|&(_, accuracy)| {
            accuracy > level && {
                level = accuracy;
                true
            }
        });
        let ends = best.iter().skip(1).map(|&(size, _)| size).chain([100.0]);
        let area: f64 = best.iter().zip(ends).map(|(&(size, a), end)| a * (end / size).log10()).sum();
        assert!((front["hypervolume"].as_f64().unwrap() - area).abs() < 1e-9);
        let members: Vec<(f64, f64)> = front["front"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| {
                assert_eq!(member["params"], trials[member["id"].as_u64().unwrap() as usize]);
                (member["values"]["size"].as_f64().unwrap(), member["values"]["accuracy"].as_f64().unwrap())
            })
            .collect();
        assert_eq!(members, best);
    }
}

#[test]
fn several_pending_trials_differ_and_failed_ones_stay_away() {
    let definition = Definition::parse("p", PROBLEM).unwrap();
    let known = |params: &Value| Some(size(params));
    let questions = [
        json!({"ask":3}),
        json!({"tell":[{"id":1,"failed":"NaN"},{"id":0,"values":{"accuracy":3.5}}]}),
        json!({"ask":100}),
        json!({"ask":1}),
    ];
    let answers =
        converse(&definition, &Ehvi::new(Some(1), Preference::Uniform), &mut client(&known, &questions));
    let all = [&answers[0], &answers[2]].map(|answer| answer["trials"].as_array().unwrap().clone()).concat();
    let ids: Vec<u64> = all.iter().map(|trial| trial["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..7).collect::<Vec<_>>());
    assert_eq!(all.iter().map(|trial| trial["params"].to_string()).collect::<HashSet<_>>().len(), 7);
    assert_eq!(answers[2].get("exhausted"), None);
    assert_eq!(answers[3], json!({"trials":[],"exhausted":true}));
}

#[test]
fn bad_lines_are_answered_and_change_nothing() {
    let definition = Definition::parse("p", PROBLEM).unwrap();
    let known = |params: &Value| Some(size(params));
    let bad = [
        json!({"ask":0}),
        json!({"ask":-1}),
        json!({"ask":1,"front":true}),
        json!({}),
        json!([1]),
        json!({"front":false}),
        json!({"hello":1}),
        json!({"cost":[1.0]}),
        json!({"tell":[{"id":5,"values":{"accuracy":1.0}}]}),
        json!({"tell":[{"id":0}]}),
        json!({"tell":[{"id":0,"values":{}}]}),
        json!({"tell":[{"id":0,"values":{"accuracy":1.0,"speed":2.0}}]}),
        json!({"tell":[{"id":0,"values":{"accuracy":1.0}},{"id":0,"failed":"x"}]}),
        json!({"tell":[{"id":0,"values":{"accuracy":1.0}},{"id":9,"failed":"x"}]}),
        json!({"tell":[{"id":0,"values":{"accuracy":"high"}}]}),
    ];
    let good = [json!({"ask":2}), json!({"tell":[{"id":0,"values":{"accuracy":4.0}}]}), json!({"ask":2})];
    let plain = converse(&definition, &Random, &mut client(&known, &good));
    let mut mixed = vec![good[0].clone()];
    mixed.extend(bad.iter().cloned());
    mixed.push(good[1].clone());
    mixed.push(good[1].clone());
    mixed.push(good[2].clone());
    let mut talker = client(&known, &mixed);
    talker.questions.insert(1, "{\"ask\":".to_owned());
    talker.nonsense = vec!["{\"ask\":1}".into(), "{\"cost\":[]}".into(), "?".into()];
    let answers = converse(&definition, &Random, &mut talker);
    let (errors, rest): (Vec<Value>, Vec<Value>) =
        answers.into_iter().partition(|answer| answer["error"].is_string());
    // The bad ones, the line that is no JSON, three bad answers for costs, and telling twice.
    assert_eq!(errors.len(), bad.len() + 1 + 3 + 1, "{errors:?}");
    assert_eq!(rest, plain);
}

#[test]
fn without_a_known_objective_both_are_told() {
    let text = PROBLEM.replace(r#""known":true,"#, "").replace(r#""limits":{"size":50}"#, r#""limits":{}"#);
    let definition = Definition::parse("p", &text).unwrap();
    let unknown = |_: &Value| panic!("nobody may ask");
    let mut questions = vec![json!({"ask":4})];
    questions.extend((0..4).map(|id| json!({"tell":[{"id":id,"values":{"accuracy":id,"size":10+id}}]})));
    questions.push(json!({"tell":[{"id":3,"values":{"accuracy":1.0}}]}));
    questions.push(json!({"ask":2}));
    questions.push(json!({"front":true}));
    let answers =
        converse(&definition, &Ehvi::new(Some(2), Preference::Uniform), &mut client(&unknown, &questions));
    assert!(answers[5]["error"].as_str().unwrap().contains("trial 3"));
    assert_eq!(answers[6]["trials"].as_array().unwrap().len(), 2);
    // Accuracy 0 is worth nothing at the reference of 0.
    assert_eq!(answers[7]["front"].as_array().unwrap().len(), 3);
}

#[test]
fn bad_definitions_name_the_field() {
    for (from, to, expected) in [
        (r#""choices":["a","b"]"#, r#""choices":[]"#, "parameter `op`"),
        (r#""choices":["a","b"]"#, r#""choices":["a","a"]"#, "given twice"),
        (r#""choices":[1,2,4,8]"#, r#""choices":[1,4,2,8]"#, "rise or fall"),
        (r#""choices":[1,2,4,8]"#, r#""choices":[0,2,4,8]"#, "positive"),
        (r#""name":"k""#, r#""name":"op""#, "given twice"),
        (r#""reference":100.0"#, r#""reference":-1"#, "objective `size`"),
        (r#""limits":{"size":50}"#, r#""limits":{"accuracy":50}"#, "limit `accuracy`"),
        (r#""kind":"nominal""#, r#""kind":"fuzzy""#, "fuzzy"),
        (r#""direction":"maximise","#, r#""direction":"maximise","known":true,"#, "both are known"),
    ] {
        assert!(PROBLEM.contains(from));
        let error = Definition::parse("space.json", &PROBLEM.replace(from, to)).unwrap_err().to_string();
        assert!(error.starts_with("space.json") && error.contains(expected), "{error}");
    }
    assert!(Definition::read("no/such.json".as_ref()).unwrap_err().to_string().starts_with("no/such.json"));
}

#[test]
fn numbers_and_lines_without_end_are_answered_and_change_nothing() {
    let problem =
        PROBLEM.replace(r#","scale":"log10","known":true,"reference":100.0"#, r#","reference":1e150"#);
    let problem = problem.replace(r#""limits":{"size":50}"#, r#""limits":{}"#);
    let definition = Definition::parse("p", &problem).unwrap();
    let tell = |accuracy: &str, size: &str| {
        format!(r#"{{"tell":[{{"id":0,"values":{{"accuracy":{accuracy},"size":{size}}}}}]}}"#)
    };
    let questions = [
        r#"{"ask":1}"#.to_owned(),
        " ".repeat(super::LONGEST_LINE) + r#"{"ask":1}"#,
        tell("1e308", "1e-300"),
        tell("1", "-1e308"),
        tell("1e150", "-1e150"),
        r#"{"front":true}"#.to_owned(),
    ];
    let mut client = Client {
        questions: questions.into(),
        cost: &|_| None,
        nonsense: Vec::new(),
        asked: None,
        costed: HashSet::new(),
        answers: Vec::new(),
    };
    serve(&definition, &Random, 1, &mut client).unwrap();
    let [_, long, large, small, told, front] = &client.answers[..] else { panic!("{:?}", client.answers) };
    for (answer, words) in
        [(long, "longer than"), (large, "no place on its scale"), (small, "no place on its scale")]
    {
        assert!(answer["error"].as_str().unwrap().contains(words), "{answer}");
    }
    assert_eq!(told["ok"], true);
    assert!(front["hypervolume"].as_f64().is_some_and(|area| area > 1e299), "{front}");
    let far = problem.replace("1e150", "1e151");
    assert!(Definition::parse("p", &far).unwrap_err().to_string().contains("1e150"));
}
