/**
 * Takes a form with a large upload: its fields into memory, its file into the store while it comes.
 * Owns the limits on both; what the form means is decided by `job_form.ts`.
 *
 * Invariant: a form that does not come whole leaves no file behind.
 */
import { TooLargeError } from "../job/errors.ts";
import type { StagedFile } from "../job/job.ts";
import type { FileWriter } from "../queue/file_writer.ts";
import { type FieldPart, FILE_FIELD } from "./job_form.ts";
import type { PartHeader } from "./multipart_frame.ts";
import { MultipartStream } from "./multipart_stream.ts";
import { joinBytes } from "../lib/bytes.ts";

/** What the fields of a form, without its file, may take. */
const FIELD_BYTES = 1024 * 1024;

/** What a piece costs besides its bytes: it may be a single one. */
const PIECE_BYTES = 64;

export interface ReceivedForm {
  /** Every part in its order; that of the file without its content. */
  readonly parts: readonly FieldPart[];
  /** Null: none came. */
  readonly file: StagedFile | null;
}

/**
 * Reads the body to its end.
 *
 * @throws {MalformedInputError} {@link TooLargeError} {@link StoreUnavailableError}
 */
export async function receiveForm(
  body: AsyncIterable<Uint8Array>,
  { contentType, limitBytes, beginFile, onFileBytes }: {
    readonly contentType: string;
    /** Of the file. */
    readonly limitBytes: number;
    readonly beginFile: (header: PartHeader) => Promise<FileWriter>;
    /** Sees the file as it comes. */
    readonly onFileBytes: (bytes: Uint8Array) => void;
  },
): Promise<ReceivedForm> {
  const stream = new MultipartStream(contentType);
  const receiver = new Receiver(limitBytes, beginFile);
  try {
    for await (const piece of body) {
      for (const event of stream.push(piece)) {
        if (event.type === "begin") await receiver.begin(event.header);
        else if (event.type === "data") {
          if (receiver.isFileComing) onFileBytes(event.bytes);
          await receiver.take(event.bytes);
        }
      }
    }
    stream.end();
    return await receiver.end();
  } catch (error) {
    await receiver.giveUp();
    throw error;
  }
}

class Receiver {
  readonly #limitBytes: number;
  readonly #beginFile: (header: PartHeader) => Promise<FileWriter>;
  readonly #parts: { name: string; pieces: Uint8Array[] }[] = [];
  #fieldBytes = 0;
  #fileBytes = 0;
  #writer: FileWriter | null = null;
  /** Where the part that is coming goes to. */
  #target: "field" | "file" | "nowhere" = "nowhere";

  constructor(limitBytes: number, beginFile: (header: PartHeader) => Promise<FileWriter>) {
    this.#limitBytes = limitBytes;
    this.#beginFile = beginFile;
  }

  async begin(header: PartHeader): Promise<void> {
    this.#parts.push({ name: header.name, pieces: [] });
    this.#target = header.name === FILE_FIELD ? "file" : "field";
    if (this.#target === "field") return;
    // A second file is a mistake of the form, which is told once all of it is known.
    if (this.#writer === null) this.#writer = await this.#beginFile(header);
    else this.#target = "nowhere";
  }

  get isFileComing(): boolean {
    return this.#target === "file";
  }

  async take(bytes: Uint8Array): Promise<void> {
    switch (this.#target) {
      case "file":
        this.#fileBytes += bytes.length;
        if (this.#fileBytes > this.#limitBytes) {
          throw uploadTooLarge(this.#limitBytes, "but more came");
        }
        await this.#writer!.write(bytes);
        return;
      case "field":
        this.#fieldBytes += bytes.length + PIECE_BYTES;
        if (this.#fieldBytes > FIELD_BYTES) {
          throw new TooLargeError(
            `expected at most ${FIELD_BYTES} bytes in the fields beside the file, but more came`,
          );
        }
        this.#parts.at(-1)!.pieces.push(bytes.slice());
    }
  }

  async end(): Promise<ReceivedForm> {
    const file = await this.#writer?.end() ?? null;
    const parts = this.#parts.map(({ name, pieces }) => ({ name, bytes: joinBytes(pieces) }));
    return { parts, file };
  }

  async giveUp(): Promise<void> {
    await this.#writer?.giveUp();
  }
}

export function uploadTooLarge(limitBytes: number, found: string): TooLargeError {
  return new TooLargeError(`expected an upload of at most ${limitBytes} bytes, ${found}`);
}
