/**
 * What `sslmode` and its like ask for, in the words of the driver: whether to speak TLS, whom to trust,
 * and with what to show who one is. Reads the files of certificates; opens no connection.
 *
 * Invariant: what was asked for is never taken more lightly; where this runtime cannot do it, it is
 * refused.
 */
import { readProblem } from "../../lib/error_message.ts";
import type { Target, TlsMode } from "./target.ts";

/** What the driver is told; false: no TLS. */
export type TlsOptions = false | {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly rejectUnauthorized?: boolean;
  readonly checkServerIdentity?: () => undefined;
};

/** With and without TLS, in the order to try it in. */
const TRIES: Readonly<Record<TlsMode, readonly boolean[]>> = {
  disable: [false],
  allow: [false, true],
  prefer: [true, false],
  require: [true],
  "verify-ca": [true],
  "verify-full": [true],
};

/**
 * How to try a host, one way after the other.
 *
 * @param home where the files of `psql` are looked for; null: nowhere.
 * @throws {RangeError} when a file cannot be read, or what was asked for cannot be had.
 */
export async function tlsTries(
  { tls }: Target,
  { isSocket, home }: { isSocket: boolean; home: string | null },
): Promise<TlsOptions[]> {
  const tries = isSocket ? [false] : TRIES[tls.mode];
  if (!tries.includes(true)) return [false];
  const options = await optionsOf(tls, home);
  return tries.map((isTls) => isTls && options);
}

async function optionsOf(tls: Target["tls"], home: string | null): Promise<TlsOptions> {
  const usual = (name: string) => home === null ? null : `${home}/.postgresql/${name}`;
  const ca = tls.authorities === "system"
    ? null
    : await read("sslrootcert", tls.authorities, usual("root.crt"));
  const cert = await read("sslcert", tls.certificate, usual("postgresql.crt"));
  const key = cert === null ? null : await read("sslkey", tls.key, usual("postgresql.key"));
  if (cert !== null && key === null) {
    throw new RangeError("sslcert without its key: expected sslkey, a file, with it");
  }
  if (tls.mode === "verify-ca" && ca === null) {
    throw new RangeError(
      "sslmode=verify-ca asks for an authority of your own: expected sslrootcert, a file, with it; " +
        "or sslmode=verify-full",
    );
  }
  // As libpq does: an authority that is there is asked, unless TLS is a mere wish.
  const isVerified = tls.mode.startsWith("verify-") || tls.mode === "require" && ca !== null;
  return {
    ...ca !== null && { ca: [ca] },
    ...cert !== null && { cert, key: key! },
    ...tls.keyPassword !== null && { passphrase: tls.keyPassword },
    rejectUnauthorized: isVerified,
    ...isVerified && tls.mode !== "verify-full" && { checkServerIdentity: () => undefined },
  };
}

/** The text of the file that was named, or of the usual one if that is there. */
async function read(what: string, named: string | null, usual: string | null) {
  const path = named ?? usual;
  if (path === null) return null;
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (named === null && error instanceof Deno.errors.NotFound) return null;
    throw new RangeError(`${what} ${path} cannot be read: ${readProblem(error)}`);
  }
}
