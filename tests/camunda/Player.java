import io.camunda.zeebe.client.api.command.MigrationPlan;
import io.camunda.zeebe.client.api.response.ActivatedJob;
import io.camunda.zeebe.model.bpmn.Bpmn;
import io.camunda.zeebe.model.bpmn.BpmnModelInstance;
import java.time.Duration;
import java.util.List;

/** A client's hands. Every step ends when the engine has come to rest; a refusal is in the stream. */
final class Player {
  private final Subject subject;
  private final List<String> models;
  private int deployed;
  private long instance;
  private long definition;

  Player(Subject subject, List<String> models) {
    this.subject = subject;
    this.models = models;
  }

  Player deploy(BpmnModelInstance model) throws Exception {
    return deploy(model, "process.bpmn");
  }

  Player deploy(BpmnModelInstance model, String name) throws Exception {
    if (deployed == models.size()) {
      models.add(Bpmn.convertToString(model));
    }
    var text = models.get(deployed++);
    try {
      var answer =
          subject.client().newDeployResourceCommand().addResourceStringUtf8(text, name).send().join();
      definition = answer.getProcesses().get(0).getProcessDefinitionKey();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  Player create(String variables) throws Exception {
    return create("p", variables);
  }

  Player create(String id, String variables) throws Exception {
    try {
      instance =
          subject.client().newCreateInstanceCommand().bpmnProcessId(id).latestVersion()
              .variables(variables).send().join().getProcessInstanceKey();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  private ActivatedJob job(String type) throws Exception {
    for (int round = 0; round < 20; round++) {
      var jobs =
          subject.client().newActivateJobsCommand().jobType(type).maxJobsToActivate(1)
              .timeout(Duration.ofMinutes(5)).requestTimeout(Duration.ofSeconds(2)).send().join()
              .getJobs();
      if (!jobs.isEmpty()) {
        subject.settle();
        return jobs.get(0);
      }
    }
    throw new IllegalStateException("no job of type " + type);
  }

  Player complete(String type, String variables) throws Exception {
    subject.client().newCompleteCommand(job(type).getKey()).variables(variables).send().join();
    return settled();
  }

  Player fail(String type, int retries) throws Exception {
    subject.client().newFailCommand(job(type).getKey()).retries(retries).errorMessage("no luck").send()
        .join();
    return settled();
  }

  Player error(String type, String code) throws Exception {
    subject.client().newThrowErrorCommand(job(type).getKey()).errorCode(code).errorMessage("thrown")
        .variables("{\"thrown\":1}").send().join();
    return settled();
  }

  Player publish(String name, String correlation, String variables) throws Exception {
    subject.client().newPublishMessageCommand().messageName(name).correlationKey(correlation)
        .timeToLive(Duration.ofMinutes(1)).variables(variables).send().join();
    return settled();
  }

  Player signal(String name, String variables) throws Exception {
    subject.client().newBroadcastSignalCommand().signalName(name).variables(variables).send().join();
    return settled();
  }

  Player cancel() throws Exception {
    subject.client().newCancelInstanceCommand(instance).send().join();
    return settled();
  }

  Player set(String variables) throws Exception {
    subject.client().newSetVariablesCommand(instance).variables(variables).local(false).send().join();
    return settled();
  }

  Player resolve() throws Exception {
    subject.client().newResolveIncidentCommand(subject.incident()).send().join();
    return settled();
  }

  Player deploy(String text, String name) throws Exception {
    try {
      var answer =
          subject.client().newDeployResourceCommand().addResourceStringUtf8(text, name).send().join();
      if (!answer.getProcesses().isEmpty()) {
        definition = answer.getProcesses().get(0).getProcessDefinitionKey();
      }
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  Player completeTask(String variables) throws Exception {
    subject.completeTask(subject.userTask(), variables);
    return settled();
  }

  Player assignTask(String user) throws Exception {
    subject.assignTask(subject.userTask(), user);
    return settled();
  }

  Player prioritizeTask(int priority) throws Exception {
    subject.prioritizeTask(subject.userTask(), priority);
    return settled();
  }

  Player completeListener(String type, boolean denied, String assignee) throws Exception {
    subject.completeListener(job(type).getKey(), denied, assignee);
    return settled();
  }

  Player correlate(String name, String correlation, String variables) throws Exception {
    subject.correlate(name, correlation, variables);
    return settled();
  }

  Player activateInside(String adHoc, String element, boolean cancelOthers) throws Exception {
    subject.activateInside(subject.element(adHoc), element, cancelOthers);
    return settled();
  }

  Player evaluateConditions(String variables) throws Exception {
    subject.evaluateConditions(variables);
    return settled();
  }

  Player createUntil(String element) throws Exception {
    subject.createUntil("p", element);
    return settled();
  }

  Player createBefore(String element, String variables) throws Exception {
    try {
      instance =
          subject.client().newCreateInstanceCommand().bpmnProcessId("p").latestVersion()
              .variables(variables).startBeforeElement(element).send().join()
              .getProcessInstanceKey();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  /** Activates an element and terminates the newest instance of another; null = neither. */
  Player modify(String activate, String terminate) throws Exception {
    var command = subject.client().newModifyProcessInstanceCommand(instance);
    try {
      if (terminate == null) {
        command.activateElement(activate).withVariables("{\"m\":1}").send().join();
      } else if (activate == null) {
        command.terminateElement(subject.element(terminate)).send().join();
      } else {
        command.activateElement(activate).and().terminateElement(subject.element(terminate)).send()
            .join();
      }
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  /** Migrates to the definition deployed last; pairs of elements, from and to. */
  Player migrate(String... pairs) throws Exception {
    var plan = MigrationPlan.newBuilder().withTargetProcessDefinitionKey(definition);
    var steps = plan.addMappingInstruction(pairs[0], pairs[1]);
    for (int at = 2; at < pairs.length; at += 2) {
      steps = steps.addMappingInstruction(pairs[at], pairs[at + 1]);
    }
    try {
      subject.client().newMigrateProcessInstanceCommand(instance).migrationPlan(steps.build()).send()
          .join();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  Player evaluateDecision(String id, String variables) throws Exception {
    try {
      subject.client().newEvaluateDecisionCommand().decisionId(id).variables(variables).send().join();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  /** Deletes the definition deployed last. */
  Player deleteDefinition() throws Exception {
    try {
      subject.client().newDeleteResourceCommand(definition).send().join();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  Player retries(String type, int retries) throws Exception {
    try {
      subject.client().newUpdateRetriesCommand(job(type).getKey()).retries(retries).send().join();
    } catch (RuntimeException refused) {
      // See above.
    }
    return settled();
  }

  Player setLocal(String element, String variables) throws Exception {
    subject.client().newSetVariablesCommand(subject.element(element)).variables(variables).local(true)
        .send().join();
    return settled();
  }

  Player pass(int milliseconds) throws Exception {
    Thread.sleep(milliseconds);
    return settled();
  }

  private Player settled() throws Exception {
    subject.settle();
    return this;
  }
}
