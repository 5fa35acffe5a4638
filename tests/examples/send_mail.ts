/**
 * Sends mail by SMTP: a handler for queuectl, without any library.
 *
 *     queuectl worker --handlers tests/examples/send_mail.ts --pass-env SMTP_HOST,SMTP_PORT
 *     queuectl add --kind send_mail --payload '{"to":"ada@example.org","subject":"Hello","text":"Hi!"}' \
 *       --unique-key welcome-ada --backoff 1m,10m,1h --max-age 1d
 *
 * What the server refuses for now (4xx) is tried again, what it refuses for good (5xx) is not. The
 * Message-ID is the job's, so that a mail that is sent twice can be told by its receiver.
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import process from "node:process";

interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

interface Context {
  readonly job: { readonly id: string };
  readonly signal: AbortSignal;
  readonly log: (...values: unknown[]) => void;
  cancel(why: string): never;
}

const FROM = "queue@example.org";
const ADDRESS = /^[^\s<>@]+@[^\s<>@]+$/;

export async function send_mail(payload: unknown, ctx: Context) {
  const { to, subject, text } = payload as Mail;
  const isMail = [to, subject, text].every((part) => typeof part === "string");
  if (!isMail || !ADDRESS.test(to) || /[\r\n]/.test(subject)) {
    ctx.cancel('expected {"to": "a@b", "subject": "one line", "text": "…"}');
  }
  const socket = connect({
    host: process.env["SMTP_HOST"] ?? "127.0.0.1",
    port: Number(process.env["SMTP_PORT"] ?? 25),
    signal: ctx.signal,
  });
  try {
    const server = new Conversation(socket, ctx);
    await server.expect(220);
    await server.say("EHLO queuectl", 250);
    await server.say(`MAIL FROM:<${FROM}>`, 250);
    await server.say(`RCPT TO:<${to}>`, 250);
    await server.say("DATA", 354);
    await server.say(message({ to, subject, text }, ctx.job.id), 250);
    await server.say("QUIT", 221);
  } finally {
    socket.destroy();
  }
  return { sent: true, message_id: `${ctx.job.id}@queuectl` };
}

/** RFC 5322; a line that begins with a dot gets another one (RFC 5321, 4.5.2). */
function message({ to, subject, text }: Mail, id: string): string {
  const encoded = `=?utf-8?B?${Buffer.from(subject).toString("base64")}?=`;
  const body = text.split(/\r?\n/).map((line) => line.startsWith(".") ? `.${line}` : line);
  return [
    `From: <${FROM}>`,
    `To: <${to}>`,
    `Subject: ${encoded}`,
    `Message-ID: <${id}@queuectl>`,
    "Content-Type: text/plain; charset=utf-8",
    "",
    ...body,
    ".",
  ].join("\r\n");
}

/** Lines there and back. */
class Conversation {
  readonly #socket: Socket;
  readonly #ctx: Context;
  #text = "";

  constructor(socket: Socket, ctx: Context) {
    this.#socket = socket;
    this.#ctx = ctx;
    socket.setEncoding("utf-8");
  }

  async say(line: string, code: number): Promise<void> {
    this.#socket.write(`${line}\r\n`);
    await this.expect(code);
  }

  /** Reads an answer; one of several lines ends with a space after its code. */
  async expect(code: number): Promise<void> {
    while (!/^\d{3} .*\r\n/m.test(this.#text)) this.#text += await this.#more();
    const answer = this.#text.trimEnd();
    this.#text = "";
    this.#ctx.log(answer);
    const found = Number(answer.slice(0, 3));
    if (found === code) return;
    if (found >= 500) this.#ctx.cancel(`the server refuses it for good: ${answer}`);
    throw new Error(`the server refuses it for now: ${answer}`);
  }

  #more(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#socket.once("data", (text) => resolve(String(text)));
      this.#socket.once("error", reject);
      this.#socket.once("close", () => reject(new Error("the server has closed the connection")));
    });
  }
}
