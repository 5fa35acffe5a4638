/** Certificates of authorities that only this installation knows. */
import { readProblem } from "../error_message.ts";

/**
 * The certificates (PEM) in the file; none where no file is named. Read each time, so that a renewed
 * file counts.
 *
 * @throws {Error} with a message for people when it cannot be read or holds none.
 */
export function readCaFile(path: string | null): readonly string[] {
  if (path === null) return [];
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(
      `cannot read the certificates in ${path} (http-ca-file): ${readProblem(error)}`,
    );
  }
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates !== null) return certificates;
  throw new Error(`expected certificates (PEM) in ${path} (http-ca-file), found none`);
}
