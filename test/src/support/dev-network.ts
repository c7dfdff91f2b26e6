import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A funded test account of the embedded network. */
export interface TestAccount {
  address: string
  privateKey: string
}

/** `<data>/network.json` as `peerhost dev` writes it (architecture.md, Fixed interfaces). */
export interface NetworkFile {
  gatewayUrl: string
  rpcUrl: string
  chainId: number
  ipfsUrl: string
  usdc: string
  contracts: Record<string, string>
  pids: { chain: number; gateway: number; workers: Record<string, number> }
  accounts: { developer: TestAccount; payer: TestAccount }
}

/** A running `peerhost dev` of its own, on free ports and with a data folder of its own. */
export interface DevNetwork {
  process: ChildProcess
  network: NetworkFile
  /** The path of network.json, for PEERHOST_NETWORK_FILE. */
  networkFile: string
  /** Its data folder. */
  data: string
  /** Everything the process has printed, for the message of a failing test. */
  output(): string
  /** Stops it with SIGTERM, waits for its end and removes the data folder. */
  stop(): Promise<void>
}

/** What startDevNetwork may be told. */
export interface DevNetworkOptions {
  /** The command in place of `peerhost`, for example `['npx', 'peerhost']`. */
  command?: string[]
  /** Further arguments of `dev`. */
  args?: string[]
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Own process group, so that a signal can be sent to the outermost process alone. */
  detached?: boolean
  /** Milliseconds until ready; default 60,000. */
  timeout?: number
}

/** Starts `peerhost dev --json --port 0` and waits for its ready line. Rejects with all output if it ends before. */
export async function startDevNetwork(options: DevNetworkOptions = {}): Promise<DevNetwork> {
  const [command, ...before] = options.command ?? ['peerhost']
  const data = mkdtempSync(join(tmpdir(), 'peerhost-dev-'))
  const child = spawn(command!, [...before, 'dev', '--json', '--port', '0', '--data', data, ...(options.args ?? [])], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: options.detached ?? false,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stderr!.on('data', (chunk) => (output += chunk))
  const ended = new Promise<void>((done) => child.once('close', () => done()))

  const networkFile = await new Promise<string>((ready, fail) => {
    const timer = setTimeout(() => giveUp('is not ready in time'), options.timeout ?? 60_000)
    const giveUp = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGTERM')
      fail(new Error(`peerhost dev ${why}:\n${output}`))
    }
    child.once('error', (error) => giveUp(error.message))
    child.once('close', (code, signal) => giveUp(`ended with ${code ?? signal}`))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      output += `${line}\n`
      const event = parseEvent(line)
      if (event?.event !== 'ready') return
      clearTimeout(timer)
      ready(event.network!)
    })
  })
  return {
    process: child,
    networkFile,
    data,
    network: JSON.parse(readFileSync(networkFile, 'utf8')),
    output: () => output,
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}

function parseEvent(line: string): { event?: string; network?: string } | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
