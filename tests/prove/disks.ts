/**
 * File systems of one's own, to be filled, made read-only or cut off. Needs the right to mount;
 * knows nothing of what is kept on them.
 *
 * Invariant: when a disk is disposed nothing is mounted any more.
 */
import { CannotRun } from "./experiment.ts";

/** A small file system in memory. */
export class SmallDisk implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** @throws {CannotRun} when this machine does not let us mount one. */
  static async mount(path: string, size: string): Promise<SmallDisk> {
    await Deno.mkdir(path);
    await orCannot(system("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path));
    return new SmallDisk(path);
  }

  /** Leaves not a byte. */
  fill(): void {
    using file = Deno.openSync(`${this.path}/filler`, { create: true, append: true });
    for (const bytes of [64 * 1024, 1]) {
      const block = new Uint8Array(bytes);
      while (isWritten(file, block));
    }
  }

  makeSpace(): void {
    Deno.removeSync(`${this.path}/filler`);
  }

  /** Fails as long as somebody has a file open for writing. */
  setReadOnly(isReadOnly: boolean): Promise<string> {
    return system("mount", "-o", `remount,${isReadOnly ? "ro" : "rw"}`, this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await system("umount", "--lazy", this.path);
  }
}

/**
 * An ext4 file system in an image file, whose power can be cut: from that moment nothing that the
 * kernel still holds in memory reaches the image, and every further write fails. What the image then
 * holds is what a machine would find after the outage.
 *
 * The cut is ext4's own shutdown call, made for such tests (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, as
 * the test suite xfstests uses it). It does not imitate a disk that loses or tears what it has said
 * it has written: writes that reached the image stay there whole.
 */
export class CuttableDisk implements AsyncDisposable {
  readonly #image: string;

  private constructor(readonly path: string) {
    this.#image = `${path}.img`;
  }

  /** @throws {CannotRun} when this machine does not let us mount one, or cut it. */
  static async create(path: string, megabytes: number): Promise<CuttableDisk> {
    const disk = new CuttableDisk(path);
    await Deno.mkdir(path);
    await Deno.writeFile(disk.#image, new Uint8Array());
    await Deno.truncate(disk.#image, megabytes * 1024 * 1024);
    await orCannot(system("mkfs.ext4", "-q", "-F", disk.#image));
    await disk.powerOn();
    await disk.#prove();
    return disk;
  }

  /** Mounts what the image holds; ext4 replays its journal, as after any outage. */
  async powerOn(): Promise<void> {
    await orCannot(system("mount", "-o", "loop", this.#image, this.path));
  }

  /** From now on nothing is written. Whoever has files open gets errors. */
  cut(): void {
    const status = shutDown(this.path);
    if (status !== 0) throw new CannotRun(`ext4 at ${this.path} cannot be shut down (${status})`);
  }

  /** After a cut, when nobody uses it any more. */
  async powerOff(): Promise<void> {
    await system("umount", this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await system("umount", "--lazy", this.path).catch(() => {}); // off already
  }

  /** A cut that keeps what was never synced, or loses what was, proves nothing about a database. */
  async #prove(): Promise<void> {
    const [synced, unsynced] = [`${this.path}/synced`, `${this.path}/unsynced`];
    {
      using file = Deno.openSync(synced, { create: true, write: true });
      file.writeSync(new TextEncoder().encode("synced"));
      file.syncSync();
    }
    Deno.writeTextFileSync(unsynced, "not synced");
    this.cut();
    await this.powerOff();
    await this.powerOn();
    const kept = Deno.readTextFileSync(synced) === "synced";
    const lost = !exists(unsynced) || Deno.readTextFileSync(unsynced) === "";
    if (!kept || !lost) {
      throw new CannotRun(`a cut does not act as one here: kept ${kept}, lost ${lost}`);
    }
  }
}

/** _IOR('X', 125, __u32). Source: linux/fs/ext4/ext4.h. */
const EXT4_IOC_SHUTDOWN = 0x8004587dn;
/** Without writing the journal first. */
const NOLOGFLUSH = 2;

/** 0 when it worked. */
function shutDown(path: string): number {
  using libc = openLibc();
  const descriptor = libc.symbols.open(new TextEncoder().encode(`${path}\0`), 0);
  if (descriptor < 0) return descriptor;
  try {
    const flags = new Uint8Array(new Uint32Array([NOLOGFLUSH]).buffer);
    return libc.symbols.ioctl(descriptor, EXT4_IOC_SHUTDOWN, flags);
  } finally {
    libc.symbols.close(descriptor);
  }
}

function openLibc() {
  const library = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  return { symbols: library.symbols, [Symbol.dispose]: () => library.close() };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function isWritten(file: Deno.FsFile, block: Uint8Array): boolean {
  try {
    return file.writeSync(block) > 0;
  } catch {
    return false;
  }
}

async function system(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

/** What fails because the machine lacks it says nothing about the product. */
async function orCannot(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw new CannotRun((error as Error).message);
  }
}
