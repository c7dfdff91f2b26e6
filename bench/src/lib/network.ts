import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { NetworkFile } from '@peerhost/protocol'

const ROOT = join(import.meta.dirname, '../../..')

export interface Network {
  file: NetworkFile
  /** Milliseconds until it was ready, by step. */
  steps: Record<string, number>
  /** `serverless deploy` of a service folder. */
  deploy(service: Service): Promise<Deployed>
  stop(): Promise<void>
}

export interface Deployed {
  /** Base address of the project's routes. */
  url: string
  /** Seconds by step, as the plugin prints them. */
  steps: Record<string, number>
  /** Milliseconds of the whole command. */
  ms: number
}

/** A folder of its own with a service's files and the repository's packages. */
export interface Service {
  dir: string
  remove(): void
}

export function copyService(from: string): Service {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'peerhost-service-')))
  cpSync(from, dir, { recursive: true, filter: (path) => !/\/(node_modules|\.serverless|\.peerhost)$/.test(path) })
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** Starts `peerhost dev` on free ports with a data folder of its own. */
export async function startNetwork(args: string[]): Promise<Network> {
  const data = mkdtempSync(join(tmpdir(), 'peerhost-dev-'))
  const child = spawn('peerhost', ['dev', '--json', '--port', '0', '--data', data, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  let errors = ''
  child.stderr.on('data', (text) => {
    errors = (errors + text).slice(-4000)
  })
  const steps: Record<string, number> = {}
  const networkFile = await new Promise<string>((ready, reject) => {
    void ended.then(() => reject(new Error(`peerhost dev has ended:\n${errors}`)))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; network?: string; step?: string; ms?: number }
      if (event.event === 'step') steps[event.step!] = event.ms!
      if (event.event === 'ready') ready(event.network!)
    })
  })
  return {
    file: JSON.parse(readFileSync(networkFile, 'utf8')),
    steps,
    deploy: (service) => deploy(service, networkFile),
    async stop() {
      child.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}

async function deploy({ dir }: Service, networkFile: string): Promise<Deployed> {
  const env = { ...process.env, PEERHOST_NETWORK_FILE: networkFile, SLS_TELEMETRY_DISABLED: '1', CI: '1' }
  const began = performance.now()
  const { stdout, stderr } = await promisify(execFile)('serverless', ['deploy', '--json'], { cwd: dir, env })
  const ms = performance.now() - began
  const summary = stderr.split('\n').find((line) => /^\s+([a-z]+ [\d.]+s(, )?)+\s*$/.test(line)) ?? ''
  const pairs = [...summary.matchAll(/([a-z]+) ([\d.]+)s/g)].map(([, step, seconds]) => [step!, Number(seconds)])
  return { url: (JSON.parse(stdout) as { url: string }).url, steps: Object.fromEntries(pairs), ms }
}
