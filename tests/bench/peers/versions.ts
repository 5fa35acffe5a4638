/** Which versions of runtimes and servers took part, as they tell them. */
import { join } from "node:path";
import { run, type Words } from "../child.ts";
import type { Peer } from "./catalogue.ts";
import type { Installer } from "./install.ts";
import { FASTAPI_PACKAGES, postgresProgram, redisProgram } from "./peer_servers.ts";

/** Asks for nothing that was not needed, so that nothing more is installed. */
export async function findVersions(
  installer: Installer,
  { peers, withFastApi }: { peers: readonly Peer[]; withFastApi: boolean },
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const tell = async (name: string, words: () => Promise<Words>) => {
    try {
      found[name] = /\d+(\.\d+)+/.exec(await run(await words()))![0];
    } catch {
      // It could not be had; the table says why.
    }
  };
  const used = new Set(peers.flatMap(({ runtime, server }) => [runtime, server]));
  for (const node of ["node22", "node24"] as const) {
    if (!used.has(node)) continue;
    await tell(node === "node22" ? "Node 22" : "Node 24", async () => [
      await installer.node(node),
      "--version",
    ]);
  }
  if (used.has("bun")) await tell("Bun", async () => [await installer.bun(), "--version"]);
  if (used.has("redis")) {
    await tell("Redis", async () => {
      const { program, env } = await redisProgram(installer);
      return ["env", ...assignments(env), program, "--version"];
    });
  }
  if (used.has("postgres")) {
    await tell("PostgreSQL", async () => {
      const { program, env } = await postgresProgram(installer, "postgres");
      return ["env", ...assignments(env), program, "--version"];
    });
  }
  if (withFastApi) {
    await tell("FastAPI", async () => {
      const root = await installer.debian(FASTAPI_PACKAGES);
      const path = join(root, "usr/lib/python3/dist-packages");
      const code = "import fastapi; print(fastapi.__version__)";
      return ["env", `PYTHONPATH=${path}`, "/usr/bin/python3", "-c", code];
    });
  }
  return found;
}

function assignments(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}
