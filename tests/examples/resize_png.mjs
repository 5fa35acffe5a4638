/**
 * Makes PNG images smaller: a handler for queuectl as a program, with a library from npm.
 *
 *     queuectl serve --handler "resize=deno run -A tests/examples/resize_png.mjs"
 *     curl -F kind=resize -F 'payload={"width":120}' -F file=@photo.png http://127.0.0.1:8000/jobs
 *     queuectl artifact get ID resized.png -o small.png
 *
 * It speaks the protocol of src/handlers/PROTOCOL.md: a JSON object a line, from stdin and to stdout.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { PNG } from "pngjs";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  if (job.type !== "job") continue; // an abort: an image takes less than a second
  let answer;
  try {
    answer = resize(job);
  } catch (error) {
    answer = { type: "error", message: String(error) };
  }
  say({ ...answer, id: job.id });
}

function resize({ id, payload, input, output_dir }) {
  const width = payload?.width;
  if (!Number.isInteger(width) || width < 1 || width > 4096) {
    return { type: "cancel", message: 'expected {"width": 1 to 4096}' };
  }
  if (input === null) return { type: "cancel", message: "expected an uploaded PNG image" };
  let image;
  try {
    image = PNG.sync.read(readFileSync(input));
  } catch (error) {
    return { type: "cancel", message: `this is no PNG image: ${error.message}` };
  }
  say({ type: "progress", id, value: 0.5, text: "read" });
  const height = Math.max(1, Math.round((image.height * width) / image.width));
  const small = shrink(image, width, height);
  writeFileSync(join(output_dir, "resized.png"), PNG.sync.write(small));
  return { type: "result", result: { width, height, from: [image.width, image.height] } };
}

/** Each pixel is the mean of the pixels that it stands for. */
function shrink(image, width, height) {
  const small = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * image.width) / width);
      const top = Math.floor((y * image.height) / height);
      const right = Math.max(left + 1, Math.floor(((x + 1) * image.width) / width));
      const bottom = Math.max(top + 1, Math.floor(((y + 1) * image.height) / height));
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0;
        for (let v = top; v < bottom; v++) {
          for (let u = left; u < right; u++) sum += image.data[4 * (v * image.width + u) + channel];
        }
        const pixels = (right - left) * (bottom - top);
        small.data[4 * (y * width + x) + channel] = Math.round(sum / pixels);
      }
    }
  }
  return small;
}
