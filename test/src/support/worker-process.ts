import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DevNetwork } from './dev-network.ts'

/** A worker as its operator runs it: `peerhost worker`, a process of its own. */
export interface WorkerProcess {
  process: ChildProcess
  address: string
  /** What it has said, a line each. */
  log: string[]
  /** Stops it with SIGTERM and waits for its end. */
  stop(): Promise<void>
}

const READY_MS = 60_000

/** Starts `peerhost worker` for a network with the payer's key, bonds it, and waits until it is ready. */
export async function startWorker(dev: DevNetwork, args: string[] = []): Promise<WorkerProcess> {
  const data = mkdtempSync(join(tmpdir(), 'peerhost-worker-'))
  const child = spawn('peerhost', ['worker', '--json', '--data', data, '--stake', '100', ...args], {
    env: {
      ...process.env,
      PEERHOST_NETWORK_FILE: dev.networkFile,
      PEERHOST_PRIVATE_KEY: dev.network.accounts.payer.privateKey,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => log.push(line))
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  const address = await new Promise<string>((ready, fail) => {
    const giveUp = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGTERM')
      fail(new Error(`peerhost worker ${why}:\n${log.join('\n')}`))
    }
    const timer = setTimeout(() => giveUp('is not ready in time'), READY_MS)
    child.once('error', (error) => giveUp(error.message))
    child.once('close', (code, signal) => giveUp(`ended with ${code ?? signal}`))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { event, worker } = JSON.parse(line) as { event?: string; worker: string }
      if (event !== 'ready') return void log.push(line)
      clearTimeout(timer)
      ready(worker)
    })
  })
  return {
    process: child,
    address,
    log,
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}
