/**
 * Reads the last stage of a Dockerfile, as far as this project's own uses the format. What it does
 * not know it refuses, so that nothing in the file is skipped in silence.
 */

/** What a container starts with, after the steps that built its root. */
export interface Stage {
  /** The image that the stage begins from. */
  readonly from: string;
  /** `RUN` and `COPY` in their order. */
  readonly steps: readonly Step[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workdir: string;
  readonly volume: string;
  readonly stopSignal: Deno.Signal;
  readonly healthcheck: readonly string[];
  /** `ENTRYPOINT` and `CMD`, joined. */
  readonly command: readonly string[];
}

export type Step =
  | { readonly type: "run"; readonly script: string }
  | { readonly type: "copy"; readonly from: string; readonly to: string };

/** @throws {Error} for an instruction that is not known, or a part that is missing. */
export function lastStage(dockerfile: string): Stage {
  const instructions = dockerfile.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n/g, " ")
    .split("\n").map((line) => line.trim()).filter((line) => line !== "")
    .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1).trim()]);
  const start = instructions.findLastIndex(([name]) => name === "FROM");
  const steps: Step[] = [];
  const env: Record<string, string> = {};
  const single = new Map<string, string>();
  for (const [name = "", rest = ""] of instructions.slice(start)) {
    switch (name) {
      case "RUN":
        steps.push({ type: "run", script: rest });
        break;
      case "COPY": {
        const copied = /^--from=build (\S+) (\S+)$/.exec(rest);
        if (copied === null) throw new Error(`COPY ${rest}: expected --from=build SOURCE TARGET`);
        steps.push({ type: "copy", from: copied[1]!, to: copied[2]! });
        break;
      }
      case "ENV":
        for (const pair of rest.split(/\s+/)) {
          env[pair.slice(0, pair.indexOf("="))] = pair.slice(pair.indexOf("=") + 1);
        }
        break;
      case "FROM":
      case "USER":
      case "WORKDIR":
      case "VOLUME":
      case "EXPOSE":
      case "HEALTHCHECK":
      case "STOPSIGNAL":
      case "ENTRYPOINT":
      case "CMD":
        single.set(name, rest);
        break;
      default:
        throw new Error(`the Dockerfile has ${name}, which this check does not know`);
    }
  }
  const need = (name: string) => {
    const value = single.get(name);
    if (value === undefined) throw new Error(`the Dockerfile's last stage has no ${name}`);
    return value;
  };
  return {
    from: need("FROM"),
    steps,
    env,
    user: need("USER"),
    workdir: need("WORKDIR"),
    volume: need("VOLUME"),
    stopSignal: need("STOPSIGNAL") as Deno.Signal,
    healthcheck: JSON.parse(need("HEALTHCHECK").split(" CMD ")[1]!),
    command: [...JSON.parse(need("ENTRYPOINT")), ...JSON.parse(need("CMD"))],
  };
}
