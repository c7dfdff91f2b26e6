import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { NETWORKS, PeerHostError } from '@peerhost/protocol'

export interface StartLocalChainOptions {
  /** 0 takes a free one. */
  port?: number
  /** File that keeps the chain between runs. */
  statePath?: string
  /** Seconds between blocks; 0 mines each transaction at once. */
  blockTime?: number
  /** Phrase that the funded accounts derive from; anvil's well-known one by default. */
  mnemonic?: string
}

export interface LocalChain {
  rpcUrl: string
  pid: number
  process: ChildProcess
  /** Writes the state and ends the process. */
  stop(): Promise<void>
}

const SETPRIV = '/usr/bin/setpriv'
const START_MS = 15_000

/**
 * The anvil binary of this machine, from its npm platform package. Asked for directly: the package's own launcher would be
 * a process more, which does not pass signals on.
 */
function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json'))
    const folder = dirname(require.resolve(`@foundry-rs/anvil-${process.platform}-${arch}/package.json`))
    return join(folder, 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil')
  } catch (cause) {
    const detail = `anvil is not installed for ${process.platform} ${arch}: npm install @foundry-rs/anvil`
    throw new PeerHostError('PH_DEV_START_FAILED', { detail }, { cause })
  }
}

/**
 * Starts the embedded chain: anvil with PeerHost's local chain id, where `finalized` is the latest block. It dies with this
 * process.
 *
 * @throws PH_DEV_START_FAILED
 */
export async function startLocalChain({
  port = 0,
  statePath,
  blockTime = 0,
  mnemonic,
}: StartLocalChainOptions = {}): Promise<LocalChain> {
  const args = [
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--chain-id',
    String(NETWORKS.local.chainId),
    '--slots-in-an-epoch',
    '0',
  ]
  if (statePath) args.push('--state', statePath, '--state-interval', '2')
  if (blockTime > 0) args.push('--block-time', String(blockTime), '--mixed-mining')
  if (mnemonic) args.push('--mnemonic', mnemonic)
  const binary = anvilBinary()
  const command: [string, string[]] = existsSync(SETPRIV)
    ? [SETPRIV, ['--pdeathsig', 'KILL', binary, ...args]]
    : [binary, args]
  const child = spawn(command[0], command[1], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const output: string[] = []
  child.stderr.on('data', (bytes: Buffer) => output.push(bytes.toString().slice(0, 1000)))
  const address = await new Promise<string>((resolve, reject) => {
    const fail = (detail: string) => reject(new PeerHostError('PH_DEV_START_FAILED', { detail }))
    const timer = setTimeout(() => fail('the chain did not get ready'), START_MS)
    child.once('error', (error) => fail(error.message))
    child.once('close', () => fail(`the chain ended: ${output.join('').trim().slice(0, 300)}`))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const listening = /^Listening on (\S+)/.exec(line)?.[1]
      if (!listening) return
      clearTimeout(timer)
      resolve(listening)
    })
  }).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  return {
    rpcUrl: `http://${address}`,
    pid: child.pid!,
    process: child,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
