/**
 * What `sslmode` and its like ask for, in the words of the driver: whether to speak TLS, whom to trust,
 * and with what to show who one is. Reads the files of certificates; opens no connection.
 *
 * Invariant: what was asked for is never taken more lightly; where this runtime cannot do it, it is
 * refused.
 */
import { createPrivateKey } from "node:crypto";
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

/** Older ones take them and show none, where TLS begins in the midst of a connection. */
const SHOWS_CERTIFICATES = isDenoFrom(2, 9);

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
  if (tls.certificate !== null && !SHOWS_CERTIFICATES) {
    throw new RangeError(
      `sslcert: Deno ${Deno.version.deno} shows PostgreSQL no certificates of clients; expected 2.9`,
    );
  }
  const cert = SHOWS_CERTIFICATES
    ? await read("sslcert", tls.certificate, usual("postgresql.crt"))
    : null;
  const key = cert === null ? null : await read("sslkey", tls.key, usual("postgresql.key"));
  if (cert !== null && key === null) {
    throw new RangeError("sslcert without its key: expected sslkey, a file, with it");
  }
  if (key !== null) assertReadable(key, tls.keyPassword);
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

/** A key that cannot be read would only be missing, and the server would say so. */
function assertReadable(key: string, passphrase: string | null): void {
  if (!key.includes("ENCRYPTED")) return;
  if (passphrase === null) {
    throw new RangeError("sslkey is encrypted: expected sslpassword with it");
  }
  try {
    createPrivateKey({ key, passphrase });
  } catch {
    throw new RangeError("sslkey cannot be read with this sslpassword");
  }
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

/** What a server is told that is to speak TLS. */
const REQUEST = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);

/** How long a second look may take. */
const LOOK_MS = 2_000;

/**
 * What is wrong with the server's certificate, in the words of the runtime's own TLS: Node's, which the
 * driver uses, says of most that it cannot verify it. Null: nothing, or it cannot be said.
 */
export async function certificateProblem(
  { name, port }: { readonly name: string; readonly port: number },
  options: TlsOptions,
): Promise<string | null> {
  let connection: Deno.TcpConn | Deno.TlsConn | null = null;
  const end = () => {
    try {
      connection?.close();
    } catch { /* it is closed */ }
  };
  const timer = setTimeout(end, LOOK_MS);
  try {
    const plain = await Deno.connect({ hostname: name, port });
    connection = plain;
    await plain.write(REQUEST);
    await plain.read(new Uint8Array(1));
    const caCerts = options === false ? undefined : options.ca;
    const secure = connection = await Deno.startTls(plain, { hostname: name, caCerts });
    await secure.handshake();
    return null;
  } catch (error) {
    return error instanceof Deno.errors.InvalidData ? error.message : null;
  } finally {
    clearTimeout(timer);
    end();
  }
}

function isDenoFrom(major: number, minor: number): boolean {
  const [here, part] = Deno.version.deno.split(".").map(Number) as [number, number];
  return here > major || here === major && part >= minor;
}
