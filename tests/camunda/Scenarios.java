import io.camunda.zeebe.model.bpmn.Bpmn;
import io.camunda.zeebe.model.bpmn.BpmnModelInstance;
import io.camunda.zeebe.model.bpmn.builder.AbstractFlowNodeBuilder;
import io.camunda.zeebe.model.bpmn.builder.ProcessBuilder;
import io.camunda.zeebe.model.bpmn.builder.ServiceTaskBuilder;
import io.camunda.zeebe.model.bpmn.builder.StartEventBuilder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/** What is played: a model each, and what a client does with it. */
final class Scenarios {
  interface Scenario {
    void play(Player player) throws Exception;
  }

  private final Map<String, Scenario> scenarios = new LinkedHashMap<>();

  static Map<String, Scenario> all() {
    var all = new Scenarios();
    all.tasks();
    all.gateways();
    all.events();
    all.boundaries();
    all.scopes();
    all.loops();
    all.incidents();
    all.listeners();
    all.refusals();
    new Operations(all.scenarios).all();
    return all.scenarios;
  }

  private void add(String name, Scenario scenario) {
    scenarios.put(name, scenario);
  }

  /** A process {@code p}, built from its start event {@code s}. */
  private static BpmnModelInstance model(Function<StartEventBuilder, AbstractFlowNodeBuilder<?, ?>> build) {
    return build.apply(Bpmn.createExecutableProcess("p").startEvent("s")).done();
  }

  /** The same behind an event sub-process. */
  private static BpmnModelInstance handled(
      Consumer<io.camunda.zeebe.model.bpmn.builder.EventSubProcessBuilder> handler,
      Function<StartEventBuilder, AbstractFlowNodeBuilder<?, ?>> build) {
    var process = Bpmn.createExecutableProcess("p").eventSubProcess("ev", handler);
    return build.apply(process.startEvent("s")).done();
  }

  private static BpmnModelInstance other(
      String id, Function<StartEventBuilder, AbstractFlowNodeBuilder<?, ?>> build) {
    return build.apply(Bpmn.createExecutableProcess(id).startEvent("cs")).done();
  }

  /** One service task {@code t} of type {@code w}. */
  private static BpmnModelInstance task(Consumer<ServiceTaskBuilder> with) {
    return model(s -> s.serviceTask("t", t -> with.accept(t.zeebeJobType("w"))).endEvent("e"));
  }

  private static BpmnModelInstance task() {
    return task(t -> {});
  }

  private void tasks() {
    add("empty", p -> p.deploy(model(s -> s.endEvent("e"))).create("{\"a\":1}"));
    add("implicit-end", p -> p.deploy(model(s -> s.manualTask("m"))).create("{}"));
    add("redeploy", p -> {
      var same = model(s -> s.endEvent("e"));
      p.deploy(same).deploy(same).deploy(model(s -> s.endEvent("other"))).create("{}");
    });
    add("service-task", p -> p
        .deploy(task(t -> t.zeebeJobRetries("5").zeebeTaskHeader("h", "v")))
        .create("{\"a\":1}").complete("w", "{\"b\":2,\"a\":3}"));
    add("service-task-mappings", p -> p
        .deploy(model(s -> s.serviceTask("t", t -> t.zeebeJobTypeExpression("\"w\"+kind")
            .zeebeInputExpression("a+1", "in").zeebeInputExpression("{x:a}", "deep.inner")
            .zeebeOutputExpression("b", "out").zeebeOutputExpression("deep.inner.x", "nested.value"))
            .endEvent("e")))
        .create("{\"a\":1,\"kind\":\"ing\"}").complete("wing", "{\"b\":2}"));
    add("job-fail-retry", p -> p.deploy(task()).create("{}").fail("w", 2).complete("w", "{}"));
    add("job-no-retries", p -> p.deploy(task()).create("{}").fail("w", 0));
    add("send-task", p -> p
        .deploy(model(s -> s.sendTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").complete("w", "{}"));
    add("script-expression", p -> p
        .deploy(model(s -> s.scriptTask("t", t -> t.zeebeExpression("a*2").zeebeResultVariable("r"))
            .endEvent("e"))).create("{\"a\":21}"));
    add("script-mapped", p -> p
        .deploy(model(s -> s.scriptTask("t", t -> t.zeebeExpression("{k: a}").zeebeResultVariable("r")
            .zeebeOutputExpression("r.k", "k")).endEvent("e"))).create("{\"a\":21}"));
    add("script-job", p -> p
        .deploy(model(s -> s.scriptTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").complete("w", "{}"));
    add("rule-job", p -> p
        .deploy(model(s -> s.businessRuleTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").complete("w", "{}"));
    add("undefined-task", p -> p.deploy(model(s -> s.task("t").endEvent("e"))).create("{}"));
    add("user-task-job", p -> p
        .deploy(model(s -> s.userTask("t", t -> t.zeebeAssignee("ann").zeebeCandidateGroups("g,h"))
            .endEvent("e")))
        .create("{}").complete("io.camunda.zeebe:userTask", "{\"done\":true}"));
    add("user-task-native", p -> p
        .deploy(model(s -> s.userTask("t", t -> t.zeebeUserTask().zeebeAssigneeExpression("who")
            .zeebeCandidateUsers("x,y").zeebeTaskPriority("70").zeebeDueDate("2030-01-02T03:04:05Z"))
            .endEvent("e")))
        .create("{\"who\":\"ann\"}").cancel());
    add("receive-task", p -> p
        .deploy(model(s -> s.receiveTask("t", t -> t.message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id"))).endEvent("e")))
        .create("{\"id\":\"7\"}").publish("msg", "7", "{\"got\":1}"));
    add("cancel-task", p -> p.deploy(task()).create("{}").cancel());
    add("set-variables", p -> p.deploy(task()).create("{\"a\":1}").set("{\"a\":2,\"b\":{\"c\":null}}"));
  }

  private void gateways() {
    add("exclusive", p -> p
        .deploy(model(s -> s.exclusiveGateway("g").sequenceFlowId("no").defaultFlow().endEvent("small")
            .moveToNode("g").sequenceFlowId("yes").conditionExpression("a > 1").endEvent("big")))
        .create("{\"a\":2}").create("{\"a\":1}"));
    add("exclusive-several-match", p -> p
        .deploy(model(s -> s.exclusiveGateway("g").sequenceFlowId("f3").defaultFlow().endEvent("third")
            .moveToNode("g").sequenceFlowId("f1").conditionExpression("a > 0").endEvent("first")
            .moveToNode("g").sequenceFlowId("f2").conditionExpression("a > 1").endEvent("second")))
        .create("{\"a\":9}").create("{\"a\":1}"));
    add("fork-at-start", p -> p
        .deploy(model(s -> s.sequenceFlowId("f1").manualTask("one").endEvent("e1")
            .moveToNode("s").sequenceFlowId("f2").manualTask("two").endEvent("e2").moveToNode("s")
            .sequenceFlowId("f3").manualTask("three").endEvent("e3"))).create("{}"));
    add("exclusive-none-matches", p -> p
        .deploy(model(s -> s.exclusiveGateway("g").sequenceFlowId("yes").conditionExpression("a > 1")
            .endEvent("big").moveToNode("g").sequenceFlowId("no").conditionExpression("a < 1")
            .endEvent("small")))
        .create("{\"a\":1}").set("{\"a\":5}").resolve());
    add("parallel", p -> p
        .deploy(model(s -> s.parallelGateway("fork").serviceTask("x", t -> t.zeebeJobType("x"))
            .parallelGateway("join").endEvent("e").moveToNode("fork")
            .serviceTask("y", t -> t.zeebeJobType("y")).connectTo("join")))
        .create("{}").complete("x", "{\"x\":1}").complete("y", "{\"y\":1}"));
    add("inclusive", p -> p
        .deploy(model(s -> s.inclusiveGateway("fork").sequenceFlowId("f3").defaultFlow().manualTask("z")
            .inclusiveGateway("join").endEvent("e")
            .moveToNode("fork").sequenceFlowId("f1").conditionExpression("a > 0").manualTask("x")
            .connectTo("join")
            .moveToNode("fork").sequenceFlowId("f2").conditionExpression("a > 5").manualTask("y")
            .connectTo("join")))
        .create("{\"a\":9}").create("{\"a\":1}").create("{\"a\":0}"));
    add("event-based", p -> p
        .deploy(model(s -> s.eventBasedGateway("g").intermediateCatchEvent("m",
            c -> c.message(m -> m.name("msg").zeebeCorrelationKeyExpression("id"))).endEvent("e1")
            .moveToNode("g").intermediateCatchEvent("t", c -> c.timerWithDuration("PT1H")).endEvent("e2")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("event-based-timer", p -> p
        .deploy(model(s -> s.eventBasedGateway("g").intermediateCatchEvent("m",
            c -> c.message(m -> m.name("msg").zeebeCorrelationKeyExpression("id"))).endEvent("e1")
            .moveToNode("g").intermediateCatchEvent("t", c -> c.timerWithDuration("PT0.5S")).endEvent("e2")))
        .create("{\"id\":\"1\"}").pass(1500));
  }

  private void events() {
    add("timer-catch", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("t", c -> c.timerWithDuration("PT0.5S")).endEvent("e")))
        .create("{}").pass(1500));
    add("timer-date-past", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("t",
            c -> c.timerWithDateExpression("\"2020-01-01T00:00:00Z\"")).endEvent("e")))
        .create("{}").pass(500));
    add("message-catch", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("m", c -> c.message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id")).zeebeOutputExpression("v", "w")).endEvent("e")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("message-buffered", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("m", c -> c.message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id"))).endEvent("e")))
        .publish("msg", "1", "{\"v\":1}").create("{\"id\":1}"));
    add("message-start", p -> p
        .deploy(model(s -> s.message("msg").zeebeOutputExpression("v", "w")
            .serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .publish("msg", "k", "{\"v\":1}").publish("msg", "k", "{\"v\":2}").complete("w", "{}"));
    add("message-throw-job", p -> p
        .deploy(model(s -> s.intermediateThrowEvent("m", c -> c.message("msg").zeebeJobType("w"))
            .endEvent("e"))).create("{}").complete("w", "{}"));
    add("signal-catch", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("c", c -> c.signal("sig")).endEvent("e")))
        .create("{}").signal("sig", "{\"v\":1}"));
    add("signal-start-and-throw", p -> p
        .deploy(model(s -> s.signal("sig").endEvent("e"))).signal("sig", "{\"v\":1}")
        .deploy(other("q", s -> s.intermediateThrowEvent("t", t -> t.signal("sig"))
            .endEvent("e", e -> e.signal("sig"))), "q.bpmn")
        .create("q", "{\"w\":2}"));
    add("link", p -> {
      ProcessBuilder process = Bpmn.createExecutableProcess("p");
      process.startEvent("s").intermediateThrowEvent("out", t -> t.link("L"));
      p.deploy(process.linkCatchEvent("in").link("L").manualTask("m").endEvent("e").done()).create("{}");
    });
    add("error-end-uncaught", p -> p.deploy(model(s -> s.endEvent("e", e -> e.error("E1")))).create("{}"));
    add("terminate-end", p -> p
        .deploy(model(s -> s.parallelGateway("g").serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")
            .moveToNode("g").endEvent("end", e -> e.terminate()))).create("{}"));
    add("escalation-end-uncaught", p -> p
        .deploy(model(s -> s.endEvent("e", e -> e.escalation("ESC")))).create("{}"));
    add("timer-start-cycle", p -> p
        .deploy(model(s -> s.timerWithCycle("R2/PT0.5S").endEvent("e"))).pass(2500));
    add("compensation-throw", p -> p
        .deploy(model(s -> s.serviceTask("t", t -> t.zeebeJobType("w")
            .boundaryEvent("c", c -> c.compensation(h -> h.serviceTask("undo", u -> u.zeebeJobType("undo")))))
            .intermediateThrowEvent("throw", t -> t.compensateEventDefinition().compensateEventDefinitionDone())
            .endEvent("e")))
        .create("{}").complete("w", "{}").complete("undo", "{}"));
  }

  private void boundaries() {
    add("boundary-timer", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.timerWithDuration("PT0.5S")).endEvent("late")))
        .create("{}").pass(1500));
    add("boundary-timer-left", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.timerWithDuration("PT1H")).endEvent("late")))
        .create("{}").complete("w", "{}"));
    add("boundary-timer-cycle", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.cancelActivity(false).timerWithCycle("R2/PT0.5S"))
            .endEvent("late"))).create("{}").pass(2500).complete("w", "{}"));
    add("boundary-message", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id"))).endEvent("late")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("boundary-message-non-interrupting", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.cancelActivity(false).message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id"))).endEvent("late")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}").publish("msg", "1", "{\"v\":2}")
        .complete("w", "{}"));
    add("boundary-error", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.error("E1")).endEvent("caught")))
        .create("{}").error("w", "E1"));
    add("boundary-error-other-code", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.error("E1")).endEvent("caught")))
        .create("{}").error("w", "E2"));
    add("boundary-error-any", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.error()).endEvent("caught")))
        .create("{}").error("w", "E9"));
    add("boundary-signal", p -> p
        .deploy(task(t -> t.boundaryEvent("b", x -> x.signal("sig")).endEvent("late")))
        .create("{}").signal("sig", "{\"v\":1}"));
    add("boundary-escalation", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.embeddedSubProcess().startEvent("is")
            .intermediateThrowEvent("esc", t -> t.escalation("ESC")).endEvent("ie"))
            .boundaryEvent("b", x -> x.cancelActivity(false).escalation("ESC")).endEvent("caught")
            .moveToActivity("sub").endEvent("e"))).create("{}"));
    add("boundary-escalation-interrupting", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.embeddedSubProcess().startEvent("is")
            .endEvent("esc", t -> t.escalation("ESC")))
            .boundaryEvent("b", x -> x.escalation("ESC")).endEvent("caught")
            .moveToActivity("sub").endEvent("e"))).create("{}"));
  }

  private void scopes() {
    add("sub-process", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.zeebeInputExpression("a", "inner")
            .zeebeOutputExpression("r", "result").embeddedSubProcess().startEvent("is")
            .serviceTask("t", t -> t.zeebeJobType("w")).endEvent("ie")).endEvent("e")))
        .create("{\"a\":1}").complete("w", "{\"r\":2}"));
    add("sub-process-cancel", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.embeddedSubProcess().startEvent("is")
            .parallelGateway("g").serviceTask("t", t -> t.zeebeJobType("w")).endEvent("ie").moveToNode("g")
            .serviceTask("u", t -> t.zeebeJobType("u")).endEvent("je")).endEvent("e")))
        .create("{}").cancel());
    add("sub-process-boundary", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.embeddedSubProcess().startEvent("is")
            .serviceTask("t", t -> t.zeebeJobType("w")).endEvent("ie"))
            .boundaryEvent("b", x -> x.error("E1")).endEvent("caught").moveToActivity("sub").endEvent("e")))
        .create("{}").error("w", "E1"));
    add("event-sub-process-message", p -> p
        .deploy(handled(ev -> ev.startEvent("es").interrupting(true)
            .message(m -> m.name("msg").zeebeCorrelationKeyExpression("id")).endEvent("ee"),
            s -> s.serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("event-sub-process-non-interrupting", p -> p
        .deploy(handled(ev -> ev.startEvent("es").interrupting(false)
            .message(m -> m.name("msg").zeebeCorrelationKeyExpression("id"))
            .serviceTask("x", t -> t.zeebeJobType("x")).endEvent("ee"),
            s -> s.serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}").complete("w", "{}").complete("x", "{}"));
    add("event-sub-process-error", p -> p
        .deploy(handled(ev -> ev.startEvent("es").error("E1").endEvent("ee"),
            s -> s.serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").error("w", "E1"));
    add("event-sub-process-timer", p -> p
        .deploy(handled(ev -> ev.startEvent("es").interrupting(true).timerWithDuration("PT0.5S").endEvent("ee"),
            s -> s.serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").pass(1500));
    add("event-sub-process-escalation", p -> p
        .deploy(handled(ev -> ev.startEvent("es").interrupting(false).escalation("ESC").endEvent("ee"),
            s -> s.intermediateThrowEvent("t", t -> t.escalation("ESC")).endEvent("e"))).create("{}"));
    add("event-sub-process-signal", p -> p
        .deploy(handled(ev -> ev.startEvent("es").interrupting(true).signal("sig").endEvent("ee"),
            s -> s.serviceTask("t", t -> t.zeebeJobType("w")).endEvent("e")))
        .create("{}").signal("sig", "{}"));
    add("call-activity", p -> p
        .deploy(other("child", s -> s.serviceTask("ct", t -> t.zeebeJobType("w")).endEvent("ce")), "child.bpmn")
        .deploy(model(s -> s.callActivity("call", c -> c.zeebeProcessId("child")
            .zeebeOutputExpression("r", "result")).endEvent("e")))
        .create("{\"a\":1}").complete("w", "{\"r\":5}"));
    add("call-activity-not-propagated", p -> p
        .deploy(other("child", s -> s.serviceTask("ct", t -> t.zeebeJobType("w")).endEvent("ce")), "child.bpmn")
        .deploy(model(s -> s.callActivity("call", c -> c.zeebeProcessIdExpression("id")
            .zeebeInputExpression("a", "x").zeebePropagateAllParentVariables(false)
            .zeebePropagateAllChildVariables(false)).endEvent("e")))
        .create("{\"a\":1,\"id\":\"child\"}").complete("w", "{\"r\":5}"));
    add("call-activity-error", p -> p
        .deploy(other("child", s -> s.endEvent("ce", e -> e.error("E1"))), "child.bpmn")
        .deploy(model(s -> s.callActivity("call", c -> c.zeebeProcessId("child"))
            .boundaryEvent("b", x -> x.error("E1")).endEvent("caught").moveToActivity("call").endEvent("e")))
        .create("{}"));
    add("call-activity-cancel", p -> p
        .deploy(other("child", s -> s.serviceTask("ct", t -> t.zeebeJobType("w")).endEvent("ce")), "child.bpmn")
        .deploy(model(s -> s.callActivity("call", c -> c.zeebeProcessId("child")).endEvent("e")))
        .create("{}").cancel());
  }

  private void loops() {
    add("multi-instance-parallel", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items")
            .zeebeInputElement("item").zeebeOutputCollection("results").zeebeOutputElementExpression("r"))))
        .create("{\"items\":[1,2]}").complete("w", "{\"r\":10}").complete("w", "{\"r\":20}"));
    add("multi-instance-sequential", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.sequential().zeebeInputCollectionExpression("items")
            .zeebeInputElement("item").zeebeOutputCollection("results").zeebeOutputElementExpression("r"))))
        .create("{\"items\":[1,2]}").complete("w", "{\"r\":10}").complete("w", "{\"r\":20}"));
    add("multi-instance-empty", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items")
            .zeebeOutputCollection("results").zeebeOutputElementExpression("r"))))
        .create("{\"items\":[]}"));
    add("multi-instance-condition", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items")
            .zeebeInputElement("item").completionCondition("=numberOfCompletedInstances = 1"))))
        .create("{\"items\":[1,2,3]}").complete("w", "{}"));
    add("multi-instance-sub-process", p -> p
        .deploy(model(s -> s.subProcess("sub", sub -> sub.multiInstance(m -> m.parallel()
            .zeebeInputCollectionExpression("items").zeebeInputElement("item")).embeddedSubProcess()
            .startEvent("is").scriptTask("x", t -> t.zeebeExpression("item*2").zeebeResultVariable("d"))
            .endEvent("ie")).endEvent("e")))
        .create("{\"items\":[1,2]}"));
    add("multi-instance-cancel", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items"))))
        .create("{\"items\":[1,2]}").cancel());
    add("multi-instance-boundary", p -> p
        .deploy(task(t -> {
          t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items"));
          t.boundaryEvent("b", x -> x.error("E1")).endEvent("caught");
        }))
        .create("{\"items\":[1,2]}").error("w", "E1"));
  }

  private void incidents() {
    add("incident-input-mapping", p -> p
        .deploy(task(t -> t.zeebeInputExpression("assert(x, x != null)", "y")))
        .create("{}").set("{\"x\":1}").resolve());
    add("incident-output-mapping", p -> p
        .deploy(task(t -> t.zeebeOutputExpression("assert(x, x != null)", "y")))
        .create("{}").complete("w", "{}").set("{\"x\":1}").resolve());
    add("incident-job-type", p -> p
        .deploy(model(s -> s.serviceTask("t", t -> t.zeebeJobTypeExpression("kind")).endEvent("e")))
        .create("{\"kind\":7}").set("{\"kind\":\"w\"}").resolve());
    add("incident-job-retries", p -> p
        .deploy(task(t -> t.zeebeJobRetriesExpression("n"))).create("{\"n\":\"x\"}"));
    add("incident-condition", p -> p
        .deploy(model(s -> s.exclusiveGateway("g").defaultFlow().endEvent("small").moveToNode("g")
            .sequenceFlowId("yes").conditionExpression("a").endEvent("big")))
        .create("{\"a\":\"text\"}"));
    add("incident-correlation-key", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("m", c -> c.message(m -> m.name("msg")
            .zeebeCorrelationKeyExpression("id"))).endEvent("e")))
        .create("{}").set("{\"id\":\"1\"}").resolve());
    add("incident-timer", p -> p
        .deploy(model(s -> s.intermediateCatchEvent("t", c -> c.timerWithDurationExpression("d")).endEvent("e")))
        .create("{\"d\":\"soon\"}").set("{\"d\":\"PT1H\"}").resolve());
    add("incident-called-process", p -> p
        .deploy(model(s -> s.callActivity("call", c -> c.zeebeProcessId("nowhere")).endEvent("e")))
        .create("{}"));
    add("incident-collection", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items"))))
        .create("{\"items\":1}").set("{\"items\":[1]}").resolve());
    add("incident-completion-condition", p -> p
        .deploy(task(t -> t.multiInstance(m -> m.parallel().zeebeInputCollectionExpression("items")
            .completionCondition("=x"))))
        .create("{\"items\":[1,2]}").complete("w", "{}"));
    add("incident-script", p -> p
        .deploy(model(s -> s.scriptTask("t", t -> t.zeebeExpression("assert(x, x > 1)")
            .zeebeResultVariable("r")).endEvent("e"))).create("{}"));
    add("incident-unhandled-error", p -> p.deploy(task()).create("{}").error("w", "E1"));
    add("incident-decision-missing", p -> p
        .deploy(model(s -> s.businessRuleTask("t", t -> t.zeebeCalledDecisionId("nowhere")
            .zeebeResultVariable("r")).endEvent("e"))).create("{}"));
    add("incident-cancel", p -> p
        .deploy(model(s -> s.scriptTask("t", t -> t.zeebeExpression("assert(x, x > 1)")
            .zeebeResultVariable("r")).endEvent("e"))).create("{}").cancel());
    add("incident-user-task", p -> p
        .deploy(model(s -> s.userTask("t", t -> t.zeebeUserTask().zeebeAssigneeExpression("who")
            .zeebeDueDateExpression("d")).endEvent("e")))
        .create("{\"who\":\"a\",\"d\":\"tomorrow\"}"));
  }

  private void listeners() {
    add("listener-start-end", p -> p
        .deploy(task(t -> t.zeebeStartExecutionListener("ls").zeebeEndExecutionListener("le")))
        .create("{}").complete("ls", "{\"x\":1}").complete("w", "{}").complete("le", "{\"y\":2}"));
    add("listener-process", p -> p
        .deploy(Bpmn.createExecutableProcess("p").zeebeStartExecutionListener("ls")
            .zeebeEndExecutionListener("le").startEvent("s").endEvent("e").done())
        .create("{}").complete("ls", "{\"x\":1}").complete("le", "{}"));
    add("listener-no-retries", p -> p
        .deploy(model(s -> s.manualTask("t").zeebeStartExecutionListener("ls").endEvent("e")))
        .create("{}").fail("ls", 0));
    add("task-listener-creating", p -> p
        .deploy(model(s -> s.userTask("t", t -> t.zeebeUserTask().zeebeTaskListener(l -> l
            .creating().type("l"))).endEvent("e")))
        .create("{}").complete("l", "{\"x\":1}"));
    add("task-listener-canceling", p -> p
        .deploy(model(s -> s.userTask("t", t -> t.zeebeUserTask().zeebeTaskListener(l -> l
            .canceling().type("l"))).endEvent("e")))
        .create("{}").cancel().complete("l", "{}"));
  }

  private void refusals() {
    add("refused-no-job-type", p -> p.deploy(model(s -> s.serviceTask("t").endEvent("e"))));
    add("refused-bad-expression", p -> p.deploy(model(s -> s.exclusiveGateway("g").defaultFlow()
        .endEvent("y").moveToNode("g").sequenceFlowId("f").conditionExpression("a >").endEvent("x"))));
    add("refused-no-condition", p -> p.deploy(model(s -> s.exclusiveGateway("g").sequenceFlowId("f")
        .endEvent("x").moveToNode("g").sequenceFlowId("f2").endEvent("y"))));
    add("refused-timer", p -> p.deploy(model(s -> s.intermediateCatchEvent("t",
        c -> c.timerWithDuration("soon")).endEvent("e"))));
    add("refused-message-name", p -> p.deploy(model(s -> s.intermediateCatchEvent("m",
        c -> c.message(m -> m.zeebeCorrelationKeyExpression("id"))).endEvent("e"))));
    add("refused-instance", p -> p.create("nowhere", "{}"));
    add("refused-two-starts", p -> {
      ProcessBuilder process = Bpmn.createExecutableProcess("p");
      process.startEvent("s1").endEvent("e1");
      p.deploy(process.startEvent("s2").endEvent("e2").done());
    });
  }
}
