/** Traces: one from the request that adds a job to what its command starts. */
import assert from "node:assert/strict";
import { eventually } from "../helpers/eventually.ts";
import { Sandbox } from "../helpers/program.ts";

interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** Takes spans as a collector does, in OTLP as JSON. */
class Collector implements AsyncDisposable {
  readonly spans: SeenSpan[] = [];
  readonly #server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const body = await request.json().catch(() => ({}));
      for (const { scopeSpans } of body.resourceSpans ?? []) {
        for (const { spans } of scopeSpans) this.spans.push(...spans);
      }
      return Response.json({});
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  named(name: string): SeenSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  async [Symbol.asyncDispose]() {
    await this.#server.shutdown();
  }
}

/** An executable decides about tracing when it is compiled, on Deno 2.4. */
const isExecutable = Deno.env.get("QUEUECTL") !== undefined;

Deno.test({
  name: "one trace leads from the request through claim and attempt to what the command starts",
  ignore: isExecutable,
  async fn() {
    await using collector = new Collector();
    await using sandbox = await Sandbox.create();
    const env = {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    };
    const server = await sandbox.serve(["--workers", "1", "--allow-commands"], { env });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const response = await fetch(`${server.url}/jobs`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      },
      body: JSON.stringify({ command: 'echo "$TRACEPARENT" > seen; exit 3', max_retries: 0 }),
    });
    assert.equal(response.status, 201);
    await response.body?.cancel();
    const attempt: SeenSpan = (await eventually(
      () => collector.named("queuectl attempt command")[0],
      { what: "the span of the attempt came" },
    ))!;
    const claim: SeenSpan = (await eventually(
      () => collector.named("queuectl claim")[0],
      { what: "the span of the claim came" },
    ))!;
    assert.equal(attempt.traceId, traceId);
    assert.equal(claim.traceId, traceId);
    assert.equal(claim.parentSpanId, attempt.parentSpanId);
    // What the command starts continues the attempt.
    const [seen] = sandbox.lines("seen");
    assert.equal(seen, `00-${traceId}-${attempt.spanId}-01`);
    // The parent is the span of the request itself.
    await eventually(
      () => collector.spans.some(({ spanId }) => spanId === attempt.parentSpanId),
      { what: "the span of the request came" },
    );
    assert.equal(attempt.status?.code, 2);
    assert.match(attempt.status?.message ?? "", /exit code 3/);
    const outcome = attempt.attributes.find(({ key }) => key === "queuectl.outcome");
    assert.deepEqual(outcome?.value, { stringValue: "bury" });
  },
});
