/**
 * Gets what the peers need into the scratch directory: packages of the npm registry with `npm`,
 * Debian's with `apt-get download`, unpacked and not installed, so that nothing else on the machine
 * changes. What is there already is used again.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run, type Words } from "../child.ts";

const NODE_VERSIONS = { node22: "22.23.3", node24: "24.21.0" } as const;
const BUN_VERSION = "1.4.5";

/** npm's names of the architectures that its packages of binaries are made for. */
const ARCH = { x86_64: "x64", aarch64: "arm64" }[Deno.build.arch];

export type NodeName = keyof typeof NODE_VERSIONS;

export class Installer {
  readonly #scratch: string;
  /** What is being got or has been, by its name; a failure is final for the run. */
  readonly #found = new Map<string, Promise<string>>();

  constructor(scratch: string) {
    this.#scratch = scratch;
  }

  /** A directory whose `node_modules` holds these packages. */
  modules(packages: readonly string[]): Promise<string> {
    return this.#once(packages.join(" "), () => this.#npm(packages));
  }

  /** The same, one package compiled for this Node; needs a C++ compiler, make and python3. */
  async compiledModules(
    packages: readonly string[],
    { compiled, node }: { compiled: string; node: NodeName },
  ): Promise<string> {
    const headers = await this.#nodeRoot(node);
    const directory = await this.modules(packages);
    const mark = join(directory, `.compiled-for-${node}`);
    await this.#once(mark, async () => {
      if (existsSync(mark)) return mark;
      // Its own way to compile, with the headers that came with Node and nothing downloaded.
      const settings = [`npm_config_nodedir=${headers}`, "npm_config_build_from_source=true"];
      const words: Words = ["env", ...settings, "npm", "rebuild", "--loglevel=error", compiled];
      await run(words, { cwd: directory });
      await Deno.writeTextFile(mark, "");
      return mark;
    });
    return directory;
  }

  /** Node's executable: the version that the peers ask for, whatever the machine has. */
  async node(node: NodeName): Promise<string> {
    return join(await this.#nodeRoot(node), "bin/node");
  }

  async #nodeRoot(node: NodeName): Promise<string> {
    const name = `node-linux-${ARCH}`;
    const directory = await this.modules([`${name}@${NODE_VERSIONS[node]}`]);
    return join(directory, "node_modules", name);
  }

  async bun(): Promise<string> {
    const name = `@oven/bun-linux-${ARCH === "arm64" ? "aarch64" : ARCH}`;
    const directory = await this.modules([`${name}@${BUN_VERSION}`]);
    return join(directory, "node_modules", name, "bin/bun");
  }

  /**
   * The root under which Debian's packages and what they depend on are unpacked; what the machine
   * has installed is not among them.
   */
  debian(packages: readonly string[]): Promise<string> {
    return this.#once(`debian ${packages.join(" ")}`, () => this.#unpack(packages));
  }

  #once(name: string, get: () => Promise<string>): Promise<string> {
    let found = this.#found.get(name);
    if (found === undefined) {
      found = get();
      this.#found.set(name, found);
    }
    return found;
  }

  async #npm(packages: readonly string[]): Promise<string> {
    const directory = join(this.#scratch, "npm", packages.join("+").replaceAll("/", "-"));
    const mark = join(directory, ".complete");
    if (existsSync(mark)) return directory;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(join(directory, "package.json"), '{"private":true}\n');
    const words: Words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"];
    await run([...words, "--loglevel=error", ...packages], { cwd: directory });
    await Deno.writeTextFile(mark, "");
    return directory;
  }

  async #unpack(packages: readonly string[]): Promise<string> {
    const root = join(this.#scratch, "debian", packages[0]!);
    const mark = join(root, ".complete");
    if (existsSync(mark)) return root;
    await Deno.mkdir(root, { recursive: true });
    const archives = await Deno.makeTempDir({ dir: this.#scratch, prefix: "debian-" });
    // The user `_apt`, as whom the download runs, must be able to write here.
    await Deno.chmod(archives, 0o777);
    const missing = await missingPackages(packages);
    if (missing.length > 0) {
      await run(["apt-get", "download", "--quiet", ...missing], { cwd: archives });
    }
    for (const { name } of Deno.readDirSync(archives)) {
      await run(["dpkg-deb", "--extract", join(archives, name), root]);
    }
    await Deno.remove(archives, { recursive: true });
    await Deno.writeTextFile(mark, "");
    return root;
  }
}

/** These packages and all that they depend on, without what is installed. */
async function missingPackages(packages: readonly string[]): Promise<string[]> {
  const simulate = async () => {
    const words: Words = ["apt-get", "install", "--simulate", "--no-install-recommends"];
    const output = await run([...words, ...packages]);
    // `Inst name (version …)`: new; with `[version]` in between: a newer one of what there is.
    return [...output.matchAll(/^Inst (\S+) \(/gm)].map((match) => match[1]!);
  };
  try {
    return await simulate();
  } catch (error) {
    // A machine whose lists of packages have never been read knows none.
    if (Deno.uid() !== 0) throw error;
    await run(["apt-get", "update", "--quiet"]);
    return await simulate();
  }
}
