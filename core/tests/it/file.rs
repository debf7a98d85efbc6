//! Forms and other deployed files: versions, bindings, deletion; deletion of definitions in use.

use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    DeploymentRecord, DeploymentResource, ErrorType, JobRecord, ResourceDeletionRecord,
    ResourceRecord,
};
use ringflow_core::record::{Blob, RejectionType, Value};

use super::element::{bpmn, flow, service_task};
use super::harness::{Answer, Cluster, EngineHarness, text};
use super::task::{task, user_task};

fn form(id: &str, more: &str) -> String {
    format!(r#"{{"id":"{id}","components":[]{more}}}"#)
}

fn deployment(files: &[(&str, &str)]) -> Command {
    let resources = files.iter().map(|(name, content)| DeploymentResource {
        resource: Blob::from(content.as_bytes()),
        resource_name: (*name).into(),
    });
    let record = DeploymentRecord {
        resources: resources.collect(),
        ..DeploymentRecord::default()
    };
    Command::internal(Key::NONE, of::Deployment::Create, record)
}

fn deploy(h: &mut EngineHarness, files: &[(&str, &str)]) -> DeploymentRecord {
    let answer = h.request(deployment(files)).unwrap().expect("deploys");
    let Value::Deployment(deployed) = answer.value else {
        panic!("another answer");
    };
    DeploymentRecord::clone(&deployed)
}

fn delete(h: &mut EngineHarness, key: Key) -> Answer {
    let record = ResourceDeletionRecord {
        resource_key: key,
        ..ResourceDeletionRecord::default()
    };
    let command = Command::internal(Key::NONE, of::ResourceDeletion::Delete, record);
    h.request(command).unwrap()
}

fn refused(h: &mut EngineHarness, files: &[(&str, &str)]) -> String {
    let refused = h.request(deployment(files)).unwrap().unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidArgument);
    refused.reason.to_string()
}

#[test]
fn the_same_form_is_not_a_new_version() {
    let mut h = EngineHarness::new();
    let first = deploy(&mut h, &[("a.form", &form("f", ""))]);
    let first = first.form_metadata[0].clone();
    assert_eq!((first.id.as_str(), first.version), ("f", 1));
    let again = deploy(&mut h, &[("a.form", &form("f", ""))]).form_metadata[0].clone();
    assert!(again.is_duplicate);
    assert_eq!((again.key, again.version), (first.key, 1));
    // Another name is another version; what is deployed with something new is new as well.
    let tagged = form("g", r#","versionTag":"v1""#);
    let files = [("a.form", form("f", "")), ("g.form", tagged)];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, c)| (*n, c.as_str())).collect();
    let both = deploy(&mut h, &files);
    assert_eq!(both.form_metadata[0].version, 2);
    assert_eq!(both.form_metadata[1].version_tag.as_str(), "v1");
    delete(&mut h, both.form_metadata[0].key).unwrap();
    let renamed = deploy(&mut h, &[("b.form", &form("f", ""))]);
    assert_eq!(
        renamed.form_metadata[0].version, 3,
        "versions are never reused"
    );
}

#[test]
fn a_file_that_says_no_id_is_refused() {
    let mut h = EngineHarness::new();
    let header = "Expected to deploy new resources, but encountered the following errors:\n";
    for (files, reason) in [
        (
            vec![("a.form", "{}")],
            "Expected the form id to be present, but none given",
        ),
        (
            vec![("a.form", r#"{"id":" "}"#)],
            "Expected the form id to be filled, but it is blank",
        ),
        (
            vec![("a.rpa", r#"{"id":null}"#)],
            "Expected the resource id to be present, but none given",
        ),
        (
            vec![("a.form", r#"{"id":"f"}"#), ("b.form", r#"{"id":"f"}"#)],
            "Expected the form ids to be unique within a deployment but found a duplicated id 'f' in the resources 'a.form' and 'b.form'.",
        ),
    ] {
        assert_eq!(refused(&mut h, &files), format!("{header}{reason}"));
    }
    let text = refused(&mut h, &[("a.form", "no json")]);
    assert!(
        text.starts_with(&format!("{header}Failed to parse form JSON. 'a.form': ")),
        "{text}"
    );
}

fn with_form(attributes: &str) -> String {
    user_task(&format!(
        r#"<zeebe:userTask/><zeebe:formDefinition formId="f" {attributes}/>"#
    ))
}

#[test]
fn a_task_gets_the_form_that_its_model_binds() {
    for (attributes, found, missing) in [
        (
            "",
            2,
            "Expected to find a form with id 'f', but no form with this id is found, at least a form with this id should be available. To resolve the Incident please deploy a form with the same id",
        ),
        (
            r#"bindingType="deployment""#,
            1,
            "but no such form found in the deployment with key",
        ),
        (
            r#"bindingType="versionTag" versionTag="old""#,
            1,
            "Expected to use a form with id 'f' and version tag 'old', but no such form found. To resolve the incident, deploy a form with the given id and version tag.\n",
        ),
    ] {
        let mut h = EngineHarness::new();
        let model = with_form(attributes);
        let old = form("f", r#","versionTag":"old""#);
        let first = deploy(&mut h, &[("p.bpmn", &model), ("f.form", &old)]);
        let second = deploy(&mut h, &[("f.form", &form("f", ""))]);
        h.create("process", "");
        let keys = [first.form_metadata[0].key, second.form_metadata[0].key];
        assert_eq!(task(&h).1.form_key, keys[found - 1], "{attributes}");
        for key in keys {
            delete(&mut h, key).unwrap();
        }
        h.create("process", "");
        let (incident, record) = h.incidents().remove(0);
        assert_eq!(record.error_type, ErrorType::FormNotFound);
        assert!(
            record.error_message.contains(missing),
            "{}",
            record.error_message
        );
        if found == 2 {
            deploy(&mut h, &[("f.form", &form("f", ""))]);
            h.resolve(incident).unwrap();
            assert!(h.incidents().is_empty());
        }
    }
}

#[test]
fn a_job_tells_the_resources_its_task_links() {
    let mut h = EngineHarness::new();
    let task = r#"<bpmn:serviceTask id="task"><bpmn:extensionElements><zeebe:taskDefinition type="rpa"/>
<zeebe:linkedResources><zeebe:linkedResource resourceId="robot" resourceType="RPA" linkName="RPAScript"/>
<zeebe:linkedResource resourceId="notes.txt" resourceType="text" linkName="notes"/></zeebe:linkedResources>
</bpmn:extensionElements></bpmn:serviceTask>"#;
    let model = bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            task.to_owned(),
            flow("f1", "start", "task"),
        ]
        .concat(),
    );
    deploy(&mut h, &[("p.bpmn", &model)]);
    h.create("process", "");
    let (incident, record) = h.incidents().remove(0);
    assert_eq!(record.error_type, ErrorType::ResourceNotFound);
    assert_eq!(
        record.error_message.as_str(),
        "Expected to link a resource with id 'robot', but no resource with this id is found, at least a resource with this id should be available. To resolve the Incident please deploy a resource with the same id.\n"
    );
    let robot = r#"{"id":"robot","script":"x"}"#;
    let deployed = deploy(&mut h, &[("r.rpa", robot), ("notes.txt", "hello")]);
    let keys: Vec<Key> = deployed.resource_metadata.iter().map(|of| of.key).collect();
    h.resolve(incident).unwrap();
    let (job, record) = h.activate("rpa").remove(0);
    let header = record
        .custom_headers
        .0
        .iter()
        .find(|(name, _)| name == "linkedResources");
    assert_eq!(
        header.unwrap().1.as_str(),
        format!(
            r#"[{{"resourceKey":"{}","resourceType":"RPA","linkName":"RPAScript"}},{{"resourceKey":"{}","resourceType":"text","linkName":"notes"}}]"#,
            keys[0], keys[1]
        )
    );
    h.job(job, of::Job::Complete, JobRecord::default()).unwrap();

    let fetch = |h: &mut EngineHarness, key| {
        let record = ResourceRecord {
            key,
            ..ResourceRecord::default()
        };
        h.request(Command::internal(Key::NONE, of::Resource::Fetch, record))
            .unwrap()
    };
    let Value::Resource(read) = fetch(&mut h, keys[1]).unwrap().value else {
        panic!("another answer");
    };
    assert_eq!(read.resource.as_bytes(), b"hello");
    delete(&mut h, keys[1]).unwrap();
    let refused = fetch(&mut h, keys[1]).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!(
            "Expected to fetch resource but no resource found with key `{}`",
            keys[1]
        )
    );
}

fn one_task() -> String {
    bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            service_task("task", "work"),
            flow("f1", "start", "task"),
        ]
        .concat(),
    )
}

#[test]
fn a_definition_goes_with_its_last_instance() {
    let mut cluster = Cluster::new(2);
    let model = one_task();
    let files = [("p.bpmn", model.as_str()), ("f.form", r#"{"id":"f"}"#)];
    let deployed = deploy(cluster.at(1), &files);
    cluster.deliver();
    let definition = deployed.processes_metadata[0].process_definition_key;
    let form = deployed.form_metadata[0].key;
    assert!(
        cluster
            .at(2)
            .engine
            .state()
            .file(ringflow_core::state::file::FileKind::Form, form)
            .unwrap()
            .is_some()
    );

    cluster.at(1).create("process", "");
    let refused = delete(cluster.at(1), definition).unwrap_err();
    assert_eq!(
        refused.reason.as_str(),
        format!(
            "Expected to delete resource with key `{definition}` but there are still running instances"
        )
    );
    cluster.at(1).complete("work", "");
    cluster.at(2).create("process", "");
    delete(cluster.at(1), definition).unwrap();
    cluster.deliver();
    assert!(
        cluster
            .at(1)
            .engine
            .state()
            .pending_distributions
            .is_empty()
    );
    let h = cluster.at(2);
    assert!(
        h.engine
            .state()
            .definitions
            .get(&definition)
            .unwrap()
            .is_some()
    );
    let from = h.log.len();
    h.complete("work", "");
    let lines = text(&h.log[from..]);
    assert!(lines.ends_with("E PROCESS DELETED process v1\n"), "{lines}");
    assert!(
        h.engine
            .state()
            .definitions
            .get(&definition)
            .unwrap()
            .is_none()
    );
    delete(cluster.at(1), form).unwrap();
    cluster.deliver();
    for number in [1, 2] {
        assert!(
            cluster
                .at(number)
                .engine
                .state()
                .file(ringflow_core::state::file::FileKind::Form, form)
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn an_instance_ends_behind_the_element_its_creator_named() {
    use ringflow_core::record::value::{ProcessInstanceCreationRecord, RuntimeInstruction};
    let mut h = EngineHarness::new();
    let model = bpmn(
        "process",
        &[
            r#"<bpmn:startEvent id="start"/>"#.to_owned(),
            service_task("first", "first"),
            service_task("second", "second"),
            flow("f1", "start", "first"),
            flow("f2", "first", "second"),
        ]
        .concat(),
    );
    h.deploy(&model);
    let creation = |after: &str| ProcessInstanceCreationRecord {
        bpmn_process_id: "process".into(),
        runtime_instructions: vec![RuntimeInstruction {
            after_element_id: after.into(),
            ..RuntimeInstruction::default()
        }],
        ..ProcessInstanceCreationRecord::default()
    };
    // As in Camunda, nobody asks whether there is such an element.
    h.try_create(creation("nowhere")).unwrap();
    h.activate("first");
    h.complete_key("first");
    h.activate("second");
    h.complete_key("second");
    assert!(!text(&h.log).contains("INTERRUPTED"));
    h.try_create(creation("first")).unwrap();
    let from = h.log.len();
    h.complete("first", "");
    let lines = text(&h.log[from..]);
    assert!(
        lines.contains("E RUNTIME_INSTRUCTION INTERRUPTED first\nC PROCESS_INSTANCE TERMINATE_ELEMENT PROCESS process\n"),
        "{lines}"
    );
    assert!(!lines.contains("SEQUENCE_FLOW_TAKEN"), "{lines}");
    assert!(h.wrote(of::ProcessInstance::ElementTerminated, "process"));
    h.assert_clean();
    h.create("process", "");
    h.complete("first", "");
    h.complete("second", "");
    h.assert_clean();
}

#[test]
fn what_a_model_binds_to_its_deployment_is_deployed_with_it() {
    let mut h = EngineHarness::new();
    let model = bpmn(
        "process",
        r#"<bpmn:startEvent id="start"/>
<bpmn:userTask id="ask"><bpmn:extensionElements><zeebe:userTask/><zeebe:formDefinition formId="f" bindingType="deployment"/></bpmn:extensionElements></bpmn:userTask>
<bpmn:callActivity id="call"><bpmn:extensionElements><zeebe:calledElement processId="child" bindingType="deployment"/></bpmn:extensionElements></bpmn:callActivity>
<bpmn:serviceTask id="run"><bpmn:extensionElements><zeebe:taskDefinition type="t"/><zeebe:linkedResources><zeebe:linkedResource resourceId="r" resourceType="RPA" bindingType="deployment" linkName="l"/></zeebe:linkedResources></bpmn:extensionElements></bpmn:serviceTask>
<bpmn:callActivity id="later"><bpmn:extensionElements><zeebe:calledElement processId="=child" bindingType="deployment"/></bpmn:extensionElements></bpmn:callActivity>"#,
    );
    let text = refused(&mut h, &[("p.bpmn", &model)]);
    assert_eq!(
        text.trim_end(),
        "Expected to deploy new resources, but encountered the following errors:
'p.bpmn':
- Element: ask > extensionElements > formDefinition
    - ERROR: Expected to find form with id 'f' in current deployment, but not found.
- Element: call > extensionElements > calledElement
    - ERROR: Expected to find process with id 'child' in current deployment, but not found.
- Element: run > extensionElements > linkedResources > linkedResource
    - ERROR: Expected to find resource with id 'r' in current deployment, but not found."
    );
    let child = bpmn("child", r#"<bpmn:startEvent id="begin"/>"#);
    let files = [
        ("p.bpmn", model.as_str()),
        ("c.bpmn", &child),
        ("f.form", r#"{"id":"f"}"#),
        ("r.rpa", r#"{"id":"r"}"#),
    ];
    deploy(&mut h, &files);
}
