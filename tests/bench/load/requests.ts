/** Requests as bytes. Owns their wording. */

/** What is counted: 100 bytes of text. */
const TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(3).slice(0, 100);

const BOUNDARY = "----------------------------bench0123456789";

const encoder = new TextEncoder();

export function jsonSubmit(): Uint8Array {
  return post("application/json", JSON.stringify({ kind: "count", payload: TEXT }));
}

export function uploadSubmit(text = TEXT): Uint8Array {
  const body = `--${BOUNDARY}\r\n` +
    'Content-Disposition: form-data; name="file"; filename="text.txt"\r\n' +
    `Content-Type: text/plain\r\n\r\n${text}\r\n--${BOUNDARY}--\r\n`;
  return post(`multipart/form-data; boundary=${BOUNDARY}`, body);
}

export function get(path: string): Uint8Array {
  return encoder.encode(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
}

function post(type: string, body: string): Uint8Array {
  return encoder.encode(
    "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
      `Content-Type: ${type}\r\nContent-Length: ${encoder.encode(body).length}\r\n\r\n${body}`,
  );
}
