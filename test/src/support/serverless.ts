import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

const NODE_MODULES = resolve(import.meta.dirname, '../../../node_modules')

/** A service folder outside the repository that has the repository's packages. */
export interface Service {
  dir: string
  remove(): void
}

export function createService(files: Record<string, string>): Service {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'peerhost-service-')))
  symlinkSync(NODE_MODULES, join(dir, 'node_modules'))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), content)
  }
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** What a run of the Serverless CLI printed, and how it ended (`null`: by a signal). */
export interface ServerlessRun {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs the real Serverless CLI against a network, with further environment variables. Does not reject where it fails. */
export async function runServerless(
  args: string[],
  { dir }: Service,
  networkFile: string,
  env: NodeJS.ProcessEnv = {},
): Promise<ServerlessRun> {
  const child = spawn('serverless', args, {
    cwd: dir,
    env: { ...process.env, PEERHOST_NETWORK_FILE: networkFile, SLS_TELEMETRY_DISABLED: '1', CI: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>((done, fail) => child.once('error', fail).once('close', done))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr }
}

/** Runs the real Serverless CLI against a network. Rejects with all output if it fails. */
export async function serverless(args: string[], service: Service, networkFile: string): Promise<string> {
  const { code, stdout, stderr } = await runServerless(args, service, networkFile)
  if (code !== 0) throw new Error(`serverless ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
  return stdout
}
