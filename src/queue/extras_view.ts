/** What few jobs have, as JSON and as words for people. Owns the names of these fields. */
import type { Backoff, Job, RetryPolicy } from "../job/job.ts";
import { isoTime } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import type { Dependency } from "../store/store.ts";
import type { Json } from "./views.ts";

/** The same fields for every job; null or empty where it has nothing of the kind. */
export function extrasView({ key, options }: Job, dependencies: readonly Dependency[]): Json {
  return {
    key,
    unique_key: options?.uniqueKey ?? null,
    after: dependencies.map(({ id, condition, isMet }) => ({ id, condition, is_met: isMet })),
    callback_url: options?.callbackUrl ?? null,
    retry: options?.retry === undefined ? null : retryView(options.retry),
  };
}

function retryView({ backoff, jitter, exitCodes, maxAgeMs, untilMs }: RetryPolicy): Json {
  return {
    backoff: backoff === undefined ? null : backoffView(backoff),
    jitter: jitter ?? 0,
    retry_on: exitCodes ?? null,
    max_age_ms: maxAgeMs ?? null,
    retry_until: isoTime(untilMs ?? null),
  };
}

function backoffView(backoff: Backoff): Json {
  switch (backoff.type) {
    case "exponential":
      return { type: backoff.type, base: backoff.base, cap_ms: backoff.capMs ?? null };
    case "linear":
      return { type: backoff.type, delay_ms: backoff.delayMs, cap_ms: backoff.capMs ?? null };
    case "fixed":
      return { type: backoff.type, delay_ms: backoff.delayMs };
    case "list":
      return { type: backoff.type, delays_ms: backoff.delaysMs };
  }
}

/** `linear:10s, ±20 %, exit codes 75, 111 only, until 2030-…`. */
export function describeRetries({ backoff, jitter = 0, exitCodes, maxAgeMs }: RetryPolicy): string {
  const parts = [
    ...(backoff === undefined ? [] : [describeBackoff(backoff)]),
    ...(jitter === 0 ? [] : [`each up to ${Math.round(jitter * 100)} % longer or shorter`]),
    ...(exitCodes === undefined ? [] : [`exit codes ${exitCodes.join(", ")} only`]),
    ...(maxAgeMs === undefined ? [] : [`for at most ${formatDuration(maxAgeMs)}`]),
  ];
  return parts.join("; ");
}

function describeBackoff(backoff: Backoff): string {
  const cap = "capMs" in backoff && backoff.capMs !== undefined
    ? ` (at most ${formatDuration(backoff.capMs)})`
    : "";
  switch (backoff.type) {
    case "exponential":
      return `exponential:${backoff.base}${cap}`;
    case "linear":
    case "fixed":
      return `${backoff.type}:${formatDuration(backoff.delayMs)}${cap}`;
    case "list":
      return backoff.delaysMs.map(formatDuration).join(",");
  }
}
