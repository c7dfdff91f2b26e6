import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { PeerHostError } from '@peerhost/protocol'
import type { RoleConfig, RoleMessage } from './role-messages.ts'

export interface RoleProcess {
  pid: number
  /** Of the gateway. */
  url?: string
  /** Settles when the process has ended. */
  ended: Promise<void>
  stop(): Promise<void>
}

export interface StartRoleOptions {
  config: RoleConfig
  onLog: (level: 'info' | 'warning' | 'error', message: string) => void
}

const START_MS = 60_000
const STOP_MS = 10_000

/** The role's program: TypeScript in a checkout, JavaScript in a published package. */
const program = () =>
  fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './role.ts' : './role.js', import.meta.url))

/** Starts a member of the network and waits until it is ready; throws PH_DEV_START_FAILED. */
export async function startRole({ config, onLog }: StartRoleOptions): Promise<RoleProcess> {
  const child: ChildProcess = spawn(process.execPath, [program()], { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.stdin!.on('error', () => {})
  child.stdin!.write(`${JSON.stringify(config)}\n`)
  createInterface({ input: child.stderr! }).on('line', (line) => onLog('error', line))
  const lines = createInterface({ input: child.stdout! })
  const url = await new Promise<string | undefined>((resolve, reject) => {
    const failed = (detail: string) => reject(new PeerHostError('PH_DEV_START_FAILED', { detail }))
    const timer = setTimeout(() => failed(`the ${config.role} did not get ready`), START_MS)
    child.once('error', (error) => failed(error.message))
    child.once('close', (code, signal) => failed(`the ${config.role} ended (${signal ?? code})`))
    lines.on('line', (line) => {
      const message = readMessage(line)
      if (!message) return onLog('info', line)
      if (message.event === 'log') return onLog(message.level, message.message)
      clearTimeout(timer)
      if (message.event === 'ready') resolve(message.url)
      else failed(`${config.role}: ${message.message} ${message.hint} (${message.code})`)
    })
  }).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  return {
    pid: child.pid!,
    url,
    ended,
    async stop() {
      const deadline = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      child.kill('SIGTERM')
      await ended
      clearTimeout(deadline)
    },
  }
}

function readMessage(line: string): RoleMessage | undefined {
  try {
    const message = JSON.parse(line) as RoleMessage
    return typeof message.event === 'string' ? message : undefined
  } catch {
    return undefined
  }
}
