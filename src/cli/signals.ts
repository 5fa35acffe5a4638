/** Requests to stop from outside (signals), and reasons to stop from inside (uncaught errors). */

const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];

export interface CaughtSignals extends Disposable {
  readonly first: Promise<Deno.Signal>;
  readonly second: Promise<Deno.Signal>;
}

/** Catches SIGINT and SIGTERM until disposed; a third one ends the process as if uncaught. */
export function catchSignals(caught = SIGNALS): CaughtSignals {
  const first = Promise.withResolvers<Deno.Signal>();
  const second = Promise.withResolvers<Deno.Signal>();
  let count = 0;
  const listeners = caught.map((signal) => {
    const listener = () => {
      count++;
      if (count === 1) return first.resolve(signal);
      second.resolve(signal);
      release();
    };
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  function release() {
    for (const { signal, listener } of listeners.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }
  return { first: first.promise, second: second.promise, [Symbol.dispose]: release };
}

/** Catches errors that nobody else caught: they mean a bug, and the process must end in order. */
export function catchFailures(): { readonly first: Promise<Error> } & Disposable {
  const first = Promise.withResolvers<Error>();
  const fail = (error: unknown) =>
    first.resolve(error instanceof Error ? error : new Error(String(error)));
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    fail(event.error ?? event.message);
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    fail(event.reason);
  };
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onRejection);
  return {
    first: first.promise,
    [Symbol.dispose]() {
      removeEventListener("error", onError);
      removeEventListener("unhandledrejection", onRejection);
    },
  };
}
