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
      subject.client().newDeployResourceCommand().addResourceStringUtf8(text, name).send().join();
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

  Player pass(int milliseconds) throws Exception {
    Thread.sleep(milliseconds);
    return settled();
  }

  private Player settled() throws Exception {
    subject.settle();
    return this;
  }
}
