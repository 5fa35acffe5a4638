/**
 * Sends one HTTP/1.1 request on a connection of its own and reads the answer: no redirects, no
 * proxies, no cookies, no second try. What the answer means is decided by the caller.
 */
import { messageOf } from "../error_message.ts";
import { close, connect, type ConnectOptions } from "./connection.ts";
import { RequestFailedError } from "./errors.ts";
import { type Answer, type HeaderList, readAnswer } from "./response_reader.ts";

export interface OutgoingRequest {
  /** `http:` or `https:`. */
  readonly url: URL;
  readonly method: string;
  /** Checked by {@link findHeaderProblem}; those that frame the request are added here. */
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
}

export interface SendOptions extends ConnectOptions {
  /** Ends the request, whatever it is waiting for. */
  readonly signal: AbortSignal;
  /** How much of the answer's body is kept. */
  readonly limitBytes: number;
}

/** How much of the body goes with the head. */
const FIRST_BODY_BYTES = 64 * 1024;

/** Headers that a caller cannot choose: they frame the request, or speak to the next hop alone. */
const FRAMING = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What is wrong with a header; null: nothing. */
export function findHeaderProblem(name: string, value: unknown): string | null {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    return "expected a header's name of letters, digits and hyphens";
  }
  if (FRAMING.has(name.toLowerCase()) || /^proxy-/i.test(name)) {
    return "this header is set by queuectl and cannot be chosen";
  }
  if (typeof value !== "string") return "expected a string";
  // A line break would begin another header.
  return /^[\t\x20-\x7e]*$/.test(value)
    ? null
    : "expected a value of visible ASCII characters and spaces, without line breaks";
}

/**
 * The answer, whatever its status.
 *
 * @throws {RequestFailedError} when there is none; the signal's reason when it was aborted.
 */
export async function sendRequest(
  request: OutgoingRequest,
  options: SendOptions,
): Promise<Answer> {
  const { signal, limitBytes } = options;
  const connection = await connect(request.url, signal, options);
  const stop = () => close(connection);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    // Written while the answer is read: who refuses a large body answers before its end.
    let writeError: unknown = null;
    const writing = writeRequest(connection, request).catch((error) => writeError = error);
    try {
      return await readAnswer(connection, { method: request.method, limitBytes });
    } catch (error) {
      signal.throwIfAborted();
      throw asFailure(writeError ?? error);
    } finally {
      stop();
      await writing;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

async function writeRequest(
  connection: Deno.Conn,
  { url, method, headers, body }: OutgoingRequest,
): Promise<void> {
  const lines = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    `host: ${url.host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "connection: close",
  ];
  const takesBody = !["GET", "HEAD", "DELETE", "OPTIONS"].includes(method);
  if (body !== null || takesBody) lines.push(`content-length: ${body?.length ?? 0}`);
  const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
  if (body === null) return await writeAll(connection, head);
  // In one piece, as far as that is cheap: a second small one would wait for an acknowledgement.
  const first = body.subarray(0, FIRST_BODY_BYTES);
  const joined = new Uint8Array(head.length + first.length);
  joined.set(head);
  joined.set(first, head.length);
  await writeAll(connection, joined);
  await writeAll(connection, body.subarray(first.length));
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

function asFailure(error: unknown): RequestFailedError {
  if (error instanceof RequestFailedError) return error;
  const reason = messageOf(error);
  return new RequestFailedError("connect", `the connection broke: ${reason}`);
}
