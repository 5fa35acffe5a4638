/**
 * Traces by OpenTelemetry: the one file that knows its interface. It is loaded only where the runtime
 * was told to trace (`OTEL_DENO=true`); the runtime itself then sends the spans.
 *
 * A trace context travels as text, the `traceparent` of W3C Trace Context, so that it can be kept
 * with a job and given to a child process.
 */
import type { Span, Tracer } from "@opentelemetry/api";

/** What a span says of itself. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface OpenSpan {
  /** Of this span: whoever continues it is its child. */
  readonly traceparent: string;
  /** `error`: what went wrong; left out: nothing. */
  end(atMs: number, facts?: { attributes?: Attributes; error?: string }): void;
}

export interface Tracing {
  /** The context of what runs now; null: nothing that is traced. */
  current(): string | null;
  /** Begins a span; `parent` null: a trace of its own. */
  begin(
    name: string,
    options: { parent: string | null; atMs: number; isConsumer?: boolean; attributes: Attributes },
  ): OpenSpan;
}

/** Null: nobody asked for traces. */
export async function openTracing(env: (name: string) => string | undefined): Promise<
  Tracing | null
> {
  if (!isAskedFor(env)) return null;
  const { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = await import(
    "@opentelemetry/api"
  );
  const tracer: Tracer = trace.getTracer("queuectl");

  const parentOf = (traceparent: string | null) => {
    const match = traceparent === null ? null : TRACEPARENT.exec(traceparent);
    if (match === null) return ROOT_CONTEXT;
    const [, traceId, spanId, flags] = match as unknown as [string, string, string, string];
    const traceFlags = parseInt(flags, 16);
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  };

  return {
    current() {
      const span = trace.getSpan(context.active());
      return span === undefined ? null : traceparentOf(span);
    },
    begin(name, { parent, atMs, isConsumer = false, attributes }) {
      const kind = isConsumer ? SpanKind.CONSUMER : SpanKind.INTERNAL;
      const options = { kind, startTime: atMs, attributes: { ...attributes } };
      const span = tracer.startSpan(name, options, parentOf(parent));
      return {
        traceparent: traceparentOf(span),
        end(endedAtMs, { attributes = {}, error } = {}) {
          span.setAttributes({ ...attributes });
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
          span.end(endedAtMs);
        },
      };
    },
  };
}

/** Version 00 of the format; later ones begin the same. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

function isAskedFor(env: (name: string) => string | undefined): boolean {
  try {
    return env("OTEL_DENO") === "true";
  } catch {
    return false; // not permitted to ask
  }
}
