import { connectChain, findNetwork, type NetworkConfig } from '@peerhost/chain'
import { isPeerHostError, toPeerHostError } from '@peerhost/protocol'
import { createSigner, signingBackend } from '@peerhost/protocol/native'
import { probeSandbox, type SandboxCheck } from '@peerhost/sandbox'

export interface DoctorOptions {
  network?: string
  json?: boolean
}

/** One line of the doctor's; `skipped` where there is nothing to look at. */
export type DoctorCheck = SandboxCheck & { skipped?: boolean }

const NODE_MAJOR = 24

function checkNode(): DoctorCheck {
  const ok = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR
  return { name: 'node', ok, detail: process.version, fix: ok ? undefined : `Install Node ${NODE_MAJOR} or newer.` }
}

function checkSigning(): DoctorCheck {
  const native = signingBackend() === 'native'
  return {
    name: 'signatures',
    ok: native,
    detail: native ? 'native secp256k1' : 'plain JavaScript, forty times slower',
    fix: native
      ? undefined
      : 'The npm package secp256k1 has no build for this machine: npm rebuild secp256k1 needs a C++ compiler.',
  }
}

function checkKey(): DoctorCheck {
  const key = process.env.PEERHOST_PRIVATE_KEY
  if (!key)
    return {
      name: 'key',
      ok: true,
      skipped: true,
      detail: 'PEERHOST_PRIVATE_KEY is not set; the local network has keys of its own',
    }
  try {
    return { name: 'key', ok: true, detail: `PEERHOST_PRIVATE_KEY is of ${createSigner(key).address}` }
  } catch (error) {
    const { message, hint } = toPeerHostError(error)
    return { name: 'key', ok: false, detail: message, fix: hint }
  }
}

async function attempt(name: string, look: () => Promise<string>): Promise<DoctorCheck> {
  try {
    return { name, ok: true, detail: await look() }
  } catch (error) {
    const { message, hint } = toPeerHostError(error)
    return { name, ok: false, detail: message, fix: hint }
  }
}

async function checkChain({ info, rpcUrl, contracts }: NetworkConfig): Promise<string> {
  const chain = await connectChain({ rpcUrl, chainId: info.chainId, timeoutMs: 5_000 })
  try {
    const [block, code] = await Promise.all([
      chain.provider.getBlockNumber(),
      chain.provider.getCode(contracts.ExecutionCoordinator),
    ])
    if (code === '0x') throw new Error(`there is no ExecutionCoordinator at ${contracts.ExecutionCoordinator}`)
    return `${rpcUrl}, block ${block}, contracts are there`
  } finally {
    chain.close()
  }
}

async function checkGateway({ gatewayUrl }: NetworkConfig): Promise<string> {
  const response = await fetch(`${gatewayUrl}/readyz`, { signal: AbortSignal.timeout(5_000) })
  if (!response.ok) throw new Error(`${gatewayUrl}/readyz answers ${response.status}`)
  return `${gatewayUrl} is ready and serves /ipfs`
}

async function checkNetwork(options: DoctorOptions): Promise<DoctorCheck[]> {
  let network: NetworkConfig
  try {
    network = findNetwork({ cwd: process.cwd(), env: process.env, network: options.network })
  } catch (error) {
    const named = options.network || process.env.PEERHOST_NETWORK || process.env.PEERHOST_NETWORK_FILE
    if (isPeerHostError(error, 'PH_CONFIG_NETWORK_MISSING') && !named) {
      const detail = 'no local network runs: `npx peerhost dev` starts one'
      return [
        { name: 'chain', ok: true, skipped: true, detail },
        { name: 'store', ok: true, skipped: true, detail },
      ]
    }
    const { message, hint } = toPeerHostError(error)
    return [{ name: 'network', ok: false, detail: message, fix: hint }]
  }
  return Promise.all([attempt('chain', () => checkChain(network)), attempt('store', () => checkGateway(network))])
}

/** `peerhost doctor`: what works on this machine, and how to mend what does not; exit 1 if anything fails. */
export async function doctor(options: DoctorOptions): Promise<void> {
  const checks: DoctorCheck[] = [
    checkNode(),
    checkSigning(),
    checkKey(),
    ...(await probeSandbox()),
    ...(await checkNetwork(options)),
  ]
  // A normal user's machine without control groups runs the local network all the same.
  const isWanted = ({ ok, name }: DoctorCheck) =>
    !ok && !(name === 'control groups' && (options.network ?? 'local') === 'local' && process.getuid?.() !== 0)
  const failed = checks.filter(isWanted)
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: failed.length === 0, checks })}\n`)
  else {
    for (const { name, ok, skipped, detail, fix } of checks) {
      process.stdout.write(`${(ok ? (skipped ? '-' : 'ok') : 'FAILED').padEnd(7)} ${name.padEnd(19)} ${detail}\n`)
      if (!ok && fix) process.stdout.write(`${' '.repeat(27)} ${fix}\n`)
    }
  }
  if (failed.length > 0) process.exitCode = 1
}
