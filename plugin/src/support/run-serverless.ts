import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'

export interface ServerlessRun {
  code: number | null
  stdout: string
  stderr: string
}

export interface ServerlessRunOptions {
  cwd: string
  /** Path of the CLI's `serverless.js`; default: the repository's osls 3. */
  cli?: string
  env?: Record<string, string | undefined>
  /** What it finds on standard input; nothing by default. */
  input?: string
  /** Told of the process, for tests that talk to it while it runs. */
  onStart?: (child: ChildProcess) => void
}

/** The repository's own CLI. */
export const defaultCli = (): string =>
  path.join(path.dirname(createRequire(import.meta.url).resolve('osls/package.json')), 'bin/serverless.js')

/** Runs the real Serverless CLI in a folder, with no key and no network of the host's. */
export function runServerless(
  args: string[],
  { cwd, cli = defaultCli(), env, input, onStart }: ServerlessRunOptions,
): Promise<ServerlessRun> {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(PEERHOST_(PRIVATE|NETWORK|RPC|GATEWAY|IPFS)|PINATA|AWS_)/.test(name),
    ),
  )
  const child = spawn(process.execPath, [cli, ...args], {
    cwd,
    env: { ...clean, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off', CI: '1', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  child.stdin?.end(input)
  onStart?.(child)
  return new Promise((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout!.on('data', (part) => {
      stdout += part
    })
    child.stderr!.on('data', (part) => {
      stderr += part
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
