//! The process models of the system tests, written as short as BPMN allows.
//!
//! [`definitions`] puts a process around its content; [`task`] is the usual one: start, one service
//! task whose job type is the process id, end. Element ids are fixed, so that tests can name them.

/// A whole file around the content of a process.
pub(crate) fn definitions(id: &str, content: &str) -> String {
    file(&format!(
        "<bpmn:process id=\"{id}\" isExecutable=\"true\">{content}</bpmn:process>"
    ))
}

/// A whole file around root elements.
pub(crate) fn file(roots: &str) -> String {
    format!(
        "<bpmn:definitions xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" \
         xmlns:zeebe=\"http://camunda.org/schema/zeebe/1.0\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" id=\"d\" targetNamespace=\"t\">\
         {roots}</bpmn:definitions>"
    )
}

/// Start, then `middle` (whose id must be `m`), then end.
pub(crate) fn around(middle: &str) -> String {
    format!(
        "<bpmn:startEvent id=\"s\"/><bpmn:sequenceFlow id=\"f1\" sourceRef=\"s\" targetRef=\"m\"/>\
         {middle}<bpmn:sequenceFlow id=\"f2\" sourceRef=\"m\" targetRef=\"e\"/>\
         <bpmn:endEvent id=\"e\"/>"
    )
}

/// A service task `m` with extension elements.
pub(crate) fn service_task(extensions: &str) -> String {
    format!(
        "<bpmn:serviceTask id=\"m\"><bpmn:extensionElements>{extensions}\
         </bpmn:extensionElements></bpmn:serviceTask>"
    )
}

/// The usual process: one service task with the process id as its job type.
pub(crate) fn task(id: &str) -> String {
    let middle = service_task(&format!("<zeebe:taskDefinition type=\"{id}\"/>"));
    definitions(id, &around(&middle))
}
