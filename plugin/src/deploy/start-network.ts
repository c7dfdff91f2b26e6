import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { PeerHostError } from '@peerhost/protocol'

/** A local network of our own, which ends with us. */
export interface StartedNetwork {
  /** Path of its network.json. */
  file: string
  /** Settles when it ends, asked or not. */
  ended: Promise<void>
  stop(): Promise<void>
}

/** The `peerhost` command of the service's packages, or of those around this plugin. */
function findCommand(serviceDir: string): string | undefined {
  for (const from of [path.join(serviceDir, 'package.json'), import.meta.url]) {
    for (const folder of createRequire(from).resolve.paths('peerhost') ?? []) {
      const file = path.join(folder, 'peerhost', 'bin', 'peerhost.cjs')
      if (existsSync(file)) return file
    }
  }
  return undefined
}

/** Waits for the ready line of `peerhost dev --json`. */
function whenReady(child: ChildProcess): Promise<string> {
  let said = ''
  child.stderr!.on('data', (part) => {
    said = (said + part).slice(-2000)
  })
  return new Promise((resolve, reject) => {
    const failed = (why: string) =>
      reject(new PeerHostError('PH_DEV_START_FAILED', { detail: said.trim().split('\n').slice(-3).join(' ') || why }))
    child.once('error', (error) => failed(error.message))
    child.once('exit', (code, signal) => failed(`peerhost dev ended with ${code ?? signal}`))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const event = line.startsWith('{') ? (JSON.parse(line) as { event?: string; network?: string }) : {}
      if (event.event === 'ready') resolve(event.network!)
    })
  })
}

/**
 * Starts `peerhost dev` for a service, its data in the service's `.peerhost`. It watches its parent, so that it never outlives
 * this process. The signal stops it while it starts.
 *
 * @throws PH_DEV_START_FAILED
 */
export async function startNetwork(
  serviceDir: string,
  { port, signal }: { port?: string; signal: AbortSignal },
): Promise<StartedNetwork> {
  const command = findCommand(serviceDir)
  if (!command)
    throw new PeerHostError('PH_DEV_START_FAILED', {
      detail: 'the package peerhost is not installed (npm install --save-dev peerhost)',
    })
  const args = ['dev', '--json', '--data', path.join(serviceDir, '.peerhost'), ...(port ? ['--port', port] : [])]
  const child = spawn(process.execPath, [command, ...args], { cwd: serviceDir, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  }
  const cancel = () => void stop()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const file = await whenReady(child)
    return { file, ended, stop }
  } catch (error) {
    await ended
    throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
