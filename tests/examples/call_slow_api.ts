/**
 * Calls a slow API that allows few calls a second: a handler for queuectl.
 *
 *     queuectl queue set api --rate 5/1s --max-running 2
 *     queuectl worker --handlers tests/examples/call_slow_api.ts
 *     queuectl add --kind translate --queue api --key customer-7 --timeout 2m \
 *       --payload '{"url":"http://127.0.0.1:9000/translate","text":"Guten Tag"}'
 *
 * The queue's limits hold over all processes; the `key` shares them fairly between customers. When
 * the API says "later" it is heard, and that costs no attempt.
 */
interface Call {
  readonly url: string;
  readonly text: string;
}

interface Context {
  readonly job: { readonly id: string };
  readonly signal: AbortSignal;
  progress(value: number, text?: string): void;
  snooze(delay: string | number): never;
  cancel(why: string): never;
}

export async function translate({ url, text }: Call, ctx: Context) {
  ctx.progress(0, "waiting for the API");
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "text/plain", "idempotency-key": ctx.job.id },
    body: text,
    signal: ctx.signal, // timeout, cancel and shutdown end the call
  });
  const answer = await response.text();
  if (response.status === 429) {
    ctx.snooze(`${Number(response.headers.get("retry-after") ?? 1)}s`);
  }
  if (response.status >= 500) throw new Error(`the API answered ${response.status}: ${answer}`);
  if (!response.ok) ctx.cancel(`the API refuses it: ${response.status} ${answer}`);
  return { translated: answer };
}
