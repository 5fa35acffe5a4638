/**
 * The part of the store's seam that keeps files: inputs and artifacts. They come into being piece by
 * piece. Until the transaction that adds their job, or ends the attempt that left them, they belong
 * to nobody, and are swept when nothing is added for long.
 */

export interface FileStore {
  /**
   * Begins a file that nobody has yet.
   *
   * @throws {StoreUnavailableError} too when there is not enough room for it.
   */
  beginFile(file: NewFile, nowMs: number): Promise<number>;
  /** Adds the next piece. False: the file was given up, or has an owner. Throws likewise. */
  appendFile(piece: FilePiece, nowMs: number): Promise<boolean>;
  /** Says that a file that nobody has will never have an owner. */
  giveUpFile(file: number): Promise<void>;
  /** The files of a job, its input first. */
  files(seq: number): Promise<StoredFile[]>;
  /** A piece of a file, counted from 0; null: there is none. */
  filePiece(file: number, n: number): Promise<Uint8Array | null>;
  /**
   * Deletes a little of what nobody has and nobody has added to since then. Whether there may be
   * more to delete.
   */
  sweepFiles(idleSinceMs: number): Promise<boolean>;
}

/** What a file is to its job. */
export type FileRole = "input" | "artifact";

export interface NewFile {
  readonly role: FileRole;
  readonly name: string;
  readonly mediaType: string | null;
  /** As far as is known; 0: not at all. */
  readonly expectedBytes: number;
}

export interface FilePiece {
  readonly file: number;
  /** Counted from 0; each is {@link FILE_PIECE_BYTES} long, but for the last one. */
  readonly n: number;
  readonly bytes: Uint8Array;
}

/** How long the pieces of a file are. */
export const FILE_PIECE_BYTES = 512 * 1024;

/** A file of a job. */
export interface StoredFile {
  readonly file: number;
  readonly role: FileRole;
  /** The attempt that left it; null for the input. */
  readonly attempt: number | null;
  readonly token: number | null;
  /** Null: several files that were not kept, of which `problem` tells. */
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly bytes: number;
  /** Why it was not kept; null: it was. */
  readonly problem: string | null;
  readonly createdAtMs: number;
}

/** What an attempt has left. It takes the place of what earlier attempts of its job have left. */
export interface Artifacts {
  /** Counted from 1. */
  readonly attempt: number;
  /** Files that were stored. */
  readonly kept: readonly {
    readonly file: number;
    readonly name: string;
    readonly bytes: number;
  }[];
  readonly dropped: readonly DroppedFile[];
}

/** A file that was not kept, and why. */
export interface DroppedFile {
  /** Null: several files. */
  readonly name: string | null;
  readonly bytes: number;
  readonly problem: string;
}
