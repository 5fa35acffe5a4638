/** A console whose every line goes where it is told instead of to the terminal. */
import { Console } from "node:console";
import { Writable } from "node:stream";

export function consoleTo(
  write: (stream: "stdout" | "stderr", text: string) => void,
): Console {
  const sink = (stream: "stdout" | "stderr") =>
    new Writable({
      decodeStrings: false,
      write(text, _encoding, done) {
        write(stream, String(text));
        done();
      },
    });
  return new Console({ stdout: sink("stdout"), stderr: sink("stderr"), colorMode: false });
}
