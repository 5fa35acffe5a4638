/**
 * Jobs that come with a file, small or large, and leave a copy of it: the copy is there, whole, of the
 * attempt that succeeded; and what belongs to no job is gone once it was swept.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { JobStore, StoredFile } from "../../../src/store/store.ts";
import { rawQuery } from "../../helpers/raw_database.ts";
import { none } from "../experiment.ts";
import { between } from "../random.ts";
import { type Errand, inQueue } from "./errand.ts";
import { mismatch } from "./follow_ups.ts";

const QUEUE = "files";
const COMMAND = 'cp "$QUEUECTL_INPUT" "$QUEUECTL_OUTPUT_DIR/copy"; sleep 0.05';

/** Beyond a mebibyte an upload is stored piece by piece, while it comes. */
const SMALL_BYTES = 10_000;
const LARGE_BYTES = 1_500_000;
const LARGE_ONE_OF = 4;

export function files(db: string): Errand {
  const wanted = new Map<string, string>();
  return {
    name: "files",
    async go(patient, number, random) {
      const mostBytes = number % LARGE_ONE_OF === 0 ? LARGE_BYTES : SMALL_BYTES;
      const text = `${number} ${"é".repeat(between(random, mostBytes / 4, mostBytes / 2))}`;
      // Deno 2.4 does not say that the buffer is not shared.
      const bytes = new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
      const { body } = await patient.upload(bytes, { command: COMMAND, queue: QUEUE });
      wanted.set(body.job_id, digestOf([bytes]));
    },
    async audit({ jobs, store }) {
      const mine = inQueue(jobs, QUEUE);
      const wrong: string[] = [];
      for (const { id, seq, state, token } of mine) {
        const found = await store.files(seq);
        const seen = await Promise.all(found.map(async (file) => [
          ...[file.role, file.name, file.problem],
          ...[file.role === "artifact" ? file.token : token, await contentOf(store, file)],
        ]));
        const expected = [
          ["input", "file", null, token, wanted.get(id)],
          ["artifact", "copy", null, token, wanted.get(id)],
        ];
        if (state !== "completed" || !isDeepStrictEqual(seen, expected)) {
          wrong.push(`${id} is ${state}: ${JSON.stringify(seen)}`);
        }
      }
      const before = await ownerless(db);
      while (await store.sweepFiles(Date.now() + 1)) { /* the next step */ }
      const after = await ownerless(db);
      return [
        { what: "files: jobs with one", found: mine.length, wanted: { atLeast: 1 } },
        none("files: jobs that were doubled or lost", mismatch(mine, wanted.size)),
        none("files: jobs without their input and its copy", wrong),
        { what: "files: without an owner before the sweep", found: before },
        { what: "files: pieces without an owner after it", found: after, wanted: { is: 0 } },
      ];
    },
  };
}

async function contentOf(store: JobStore, { file, bytes }: StoredFile): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let n = 0, read = 0; read < bytes; n++) {
    const piece = await store.filePiece(file, n);
    if (piece === null) return "cut off";
    pieces.push(piece);
    read += piece.length;
  }
  return digestOf(pieces);
}

function digestOf(pieces: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

/** Files and pieces that no job has: the seam hides them. */
async function ownerless(db: string): Promise<number> {
  const [row] = await rawQuery(
    db,
    "SELECT (SELECT count(*) FROM files WHERE seq IS NULL OR seq NOT IN (SELECT seq FROM jobs)) " +
      "+ (SELECT count(*) FROM file_chunks WHERE file NOT IN (SELECT id FROM files)) AS found",
  );
  return Number(row!["found"]);
}
