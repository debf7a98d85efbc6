package io.camunda.zeebe.process.test.engine;

import io.camunda.search.clients.SearchClientsProxy;
import io.camunda.security.auth.BrokerRequestAuthorizationConverter;
import io.camunda.security.configuration.SecurityConfiguration;
import io.camunda.zeebe.db.AccessMetricsConfiguration;
import io.camunda.zeebe.db.ConsistencyChecksSettings;
import io.camunda.zeebe.db.ZeebeDb;
import io.camunda.zeebe.db.impl.rocksdb.RocksDbConfiguration;
import io.camunda.zeebe.db.impl.rocksdb.ZeebeRocksDbFactory;
import io.camunda.zeebe.engine.Engine;
import io.camunda.zeebe.engine.EngineConfiguration;
import io.camunda.zeebe.engine.processing.EngineProcessors;
import io.camunda.zeebe.engine.processing.message.command.SubscriptionCommandSender;
import io.camunda.zeebe.logstreams.log.LogStream;
import io.camunda.zeebe.process.test.api.ZeebeTestEngine;
import io.camunda.zeebe.protocol.ZbColumnFamilies;
import io.camunda.zeebe.protocol.impl.record.RecordMetadata;
import io.camunda.zeebe.protocol.impl.record.UnifiedRecordValue;
import io.camunda.zeebe.protocol.record.RecordType;
import io.camunda.zeebe.protocol.record.RejectionType;
import io.camunda.zeebe.protocol.record.ValueType;
import io.camunda.zeebe.protocol.record.intent.Intent;
import io.camunda.zeebe.scheduler.ActorScheduler;
import io.camunda.zeebe.scheduler.clock.ControlledActorClock;
import io.camunda.zeebe.stream.api.CommandResponseWriter;
import io.camunda.zeebe.stream.impl.ControllableStreamClockImpl;
import io.camunda.zeebe.stream.impl.StreamProcessor;
import io.camunda.zeebe.util.FeatureFlags;
import io.camunda.zeebe.util.buffer.BufferWriter;
import io.grpc.ServerBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.agrona.DirectBuffer;

/**
 * The test kit's engine, put together for an engine that is newer than the kit: on RocksDB, as the
 * kit's own store lacks what a newer engine asks of it, and with a door for commands that the kit's
 * gateway does not know. In the kit's package, whose parts are not public.
 */
public final class NewerEngine {
  private static final int PARTITION = 1;
  /** Requests from here on are ours: nobody waits for their answers. */
  private static final long OURS = 1L << 40;

  public final ZeebeTestEngine engine;
  private final CommandWriter commands;
  private final Path directory;
  private long request = OURS;

  public NewerEngine() throws IOException {
    directory = Files.createTempDirectory("camunda-state");
    var clock = new ControlledActorClock();
    var scheduler = ActorScheduler.newActorScheduler().setActorClock(clock).build();
    scheduler.start();
    var storage = new InMemoryLogStorage();
    var log =
        LogStream.builder().withPartitionId(PARTITION).withLogStorage(storage).withClock(clock)
            .withMeterRegistry(new SimpleMeterRegistry()).build();
    commands = new CommandWriter(log.newLogStreamWriter());
    var sender = new CommandSender(new CommandWriter(log.newLogStreamWriter()));
    var requests = new GatewayRequestStore();
    var streamer = new InMemoryJobStreamer(new CommandWriter(log.newLogStreamWriter()));
    int port = port();
    var gateway =
        new GrpcToLogStreamGateway(
            new CommandWriter(log.newLogStreamWriter()), PARTITION, 1, port, requests, streamer);
    var server = ServerBuilder.forPort(port).addService(gateway).build();
    var database = database();
    var security = new SecurityConfiguration();
    security.getAuthorizations().setEnabled(false);
    var engineOf =
        new Engine(
            context ->
                EngineProcessors.createEngineProcessors(
                    context, 1, new SubscriptionCommandSender(context.getPartitionId(), sender),
                    sender, FeatureFlags.createDefault(), streamer, SearchClientsProxy.noop(),
                    new BrokerRequestAuthorizationConverter(security)),
            new EngineConfiguration(), security);
    var processor =
        StreamProcessor.builder().logStream(log).zeebeDb(database)
            .commandResponseWriter(
                new Answers(new GrpcResponseWriter(gateway, requests, intent -> {})))
            .partitionCommandSender(sender).recordProcessors(List.of(engineOf))
            .actorSchedulingService(scheduler).clock(new ControllableStreamClockImpl(clock))
            .meterRegistry(new SimpleMeterRegistry()).build();
    var monitor = new EngineStateMonitor(storage, processor);
    var source = new RecordStreamSourceImpl(log.newLogStreamReader(), PARTITION);
    engine =
        new InMemoryEngine(
            server, processor, gateway, database, log, scheduler, source, clock, monitor);
  }

  /** Writes a command as a newer gateway would; its answer is dropped. */
  public void command(long key, ValueType type, Intent intent, UnifiedRecordValue value) {
    var metadata =
        new RecordMetadata().recordType(RecordType.COMMAND).valueType(type).intent(intent)
            .requestStreamId(1).requestId(request++);
    commands.writeCommandWithKey(key, value, metadata);
  }

  public void stop() throws IOException {
    engine.stop();
    try (var files = Files.walk(directory)) {
      for (var file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private ZeebeDb<ZbColumnFamilies> database() {
    return new ZeebeRocksDbFactory<ZbColumnFamilies>(
            new RocksDbConfiguration().setMemoryLimit(64 << 20),
            new ConsistencyChecksSettings(true, true),
            new AccessMetricsConfiguration(AccessMetricsConfiguration.Kind.NONE, PARTITION),
            SimpleMeterRegistry::new)
        .createDb(directory.toFile());
  }

  private static int port() throws IOException {
    try (var socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** Answers to the kit's gateway, but for those to our own commands. */
  private record Answers(CommandResponseWriter kit) implements CommandResponseWriter {
    @Override
    public CommandResponseWriter partitionId(int partition) {
      kit.partitionId(partition);
      return this;
    }

    @Override
    public CommandResponseWriter key(long key) {
      kit.key(key);
      return this;
    }

    @Override
    public CommandResponseWriter intent(Intent intent) {
      kit.intent(intent);
      return this;
    }

    @Override
    public CommandResponseWriter recordType(RecordType type) {
      kit.recordType(type);
      return this;
    }

    @Override
    public CommandResponseWriter valueType(ValueType type) {
      kit.valueType(type);
      return this;
    }

    @Override
    public CommandResponseWriter rejectionType(RejectionType type) {
      kit.rejectionType(type);
      return this;
    }

    @Override
    public CommandResponseWriter rejectionReason(DirectBuffer reason) {
      kit.rejectionReason(reason);
      return this;
    }

    @Override
    public CommandResponseWriter valueWriter(BufferWriter value) {
      kit.valueWriter(value);
      return this;
    }

    @Override
    public void tryWriteResponse(int stream, long request) {
      if (request < OURS) {
        kit.tryWriteResponse(stream, request);
      }
    }
  }
}
