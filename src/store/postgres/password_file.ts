/**
 * Passwords from a file as `psql` reads it: `~/.pgpass`, lines of `host:port:database:user:password`.
 * Knows no connection.
 *
 * Invariant: a file that others may read is not used, and nothing of it is ever shown.
 */
import { readProblem } from "../../lib/error_message.ts";

/** Who wants to be let in where. */
export interface Access {
  /** A name, an address, or the directory of a socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/**
 * The password of the first line that fits; null: there is none, or no file.
 *
 * @param isNamed whether somebody has named the file, so that it has to be there.
 * @throws {RangeError} when the file is not to be used, saying why.
 */
export async function passwordOf(
  access: Access,
  path: string,
  isNamed: boolean,
): Promise<string | null> {
  let text: string;
  try {
    const { isFile, mode } = await Deno.stat(path);
    if (!isFile) throw new RangeError(`the password file ${path} is no file`);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new RangeError(
        `the password file ${path} can be read by others, and is not used: chmod 600 ${path}`,
      );
    }
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    if (error instanceof Deno.errors.NotFound && !isNamed) return null;
    throw new RangeError(`the password file ${path} cannot be read: ${readProblem(error)}`);
  }
  const wanted = [
    // A socket in its usual place is meant by the name of this machine.
    access.host.startsWith("/") ? ["localhost", access.host] : [access.host],
    [String(access.port)],
    [access.database],
    [access.user],
  ];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = fieldsOf(line);
    if (fields.length < 5) continue;
    if (wanted.every((any, index) => fields[index] === "*" || any.includes(fields[index]!))) {
      return fields[4]!;
    }
  }
  return null;
}

/** Five of them, or fewer where colons are missing; a backslash keeps what follows it. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  let field = "";
  for (let at = 0; at < line.length; at++) {
    if (line[at] === ":" && fields.length < 4) {
      fields.push(field);
      field = "";
      continue;
    }
    if (line[at] === "\\" && at + 1 < line.length) at++;
    field += line[at]!;
  }
  return [...fields, field];
}
