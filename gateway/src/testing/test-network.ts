import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSender, deployFunctions, type TransactionSender } from '@peerhost/chain'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import {
  cidOfDigest,
  type Domain,
  encodeManifest,
  type FunctionSpec,
  type Hex,
  hashMessage,
  type Manifest,
  type ManifestFunction,
  NETWORKS,
  type Route,
  stakeVaultAbi,
  testUsdcAbi,
  VERIFICATION_CLASSES,
} from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { createStore, importBytes } from '@peerhost/storage'
import { Contract } from 'ethers'
import { createGateway, type Gateway, type GatewayConfig } from '../index.ts'
import { type Script, type ScriptedWorker, type ScriptedWorkerOptions, startScriptedWorker } from './scripted-worker.ts'

export interface TestFunction {
  name: string
  /** Atomic USDC. */
  price?: bigint
  routes?: (Partial<Route> & { path: string })[]
  definition?: Partial<ManifestFunction>
}

type Account = Awaited<ReturnType<TestChain['account']>>

/** A chain with a bonded gateway on it, and what it takes to deploy functions and to run them. */
export interface TestNetwork {
  chain: TestChain
  domain: Domain
  gateway: Gateway
  config: GatewayConfig
  developer: Account
  payer: Account
  /** What the gateway logged. */
  lines: string[]
  /** Registers functions and waits until they are served. */
  deploy(project: string, functions: TestFunction[], owner?: Account): Promise<void>
  /** A bonded worker with a hot key of its own that runs this script. */
  worker(script: Script, options?: Partial<ScriptedWorkerOptions>): Promise<ScriptedWorker>
  url(project: string, path: string, owner?: Account): string
  usdcOf(address: string): Promise<bigint>
  /** Stops the gateway and starts it again in the same folder and at the same port; `fresh` without its database. */
  restart(options?: { fresh?: boolean }): Promise<Gateway>
  stop(): Promise<void>
}

export const RUNTIME_ID: Hex = `0x${'07'.repeat(32)}`
const hash = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`

/** Bonds an account: `units` of 100 USDC, and a hot key. */
async function bond(chain: TestChain, domain: Domain, account: Account, units: number, hotKeyOf?: string) {
  const usdc = new Contract(chain.usdc, testUsdcAbi, account.signer)
  const vault = new Contract(chain.contracts.StakeVault, stakeVaultAbi, account.signer)
  await (await usdc.mint!(account.address, BigInt(units) * 100_000_000n)).wait()
  await (await usdc.approve!(chain.contracts.StakeVault, BigInt(units) * 100_000_000n)).wait()
  await (await vault.stake!(units)).wait()
  const key = createSigner(hotKeyOf ?? account.privateKey)
  const signature = key.sign(hashMessage(domain, 'HotKey', { owner: account.address, key: key.address }))
  await (await vault.registerHotKey!(key.address, signature)).wait()
  return key
}

export async function startTestNetwork(
  options: { config?: Partial<GatewayConfig>; blockTime?: number } = {},
): Promise<TestNetwork> {
  const chain = await startTestChain({ blockTime: options.blockTime })
  const domain = { chainId: NETWORKS.local.chainId, verifyingContract: chain.contracts.ExecutionCoordinator }
  const [gatewayAccount, developer, payer] = await Promise.all([
    chain.account(),
    chain.account(),
    chain.account(1_000_000_000n),
  ])
  await bond(chain, domain, gatewayAccount!, 5)
  const folder = mkdtempSync(join(tmpdir(), 'peerhost-gateway-'))
  const lines: string[] = []
  const config: GatewayConfig = {
    network: NETWORKS.local,
    contracts: chain.contracts,
    rpcUrl: chain.rpcUrl,
    privateKey: gatewayAccount!.privateKey,
    dataDir: join(folder, 'data'),
    port: 0,
    pollMs: 50,
    anchorIntervalMs: 3_600_000,
    log: (level, message) => lines.push(`${level} ${message}`),
    ...options.config,
  }
  const specs = new Map<string, { codeDigest: Hex; price: bigint }>()
  const senders = new Map<Hex, TransactionSender>()
  let gateway = await createGateway(config).catch(async (error: unknown) => {
    await chain.stop()
    throw error
  })
  config.port = gateway.port
  let versions = 0

  const network: TestNetwork = {
    chain,
    domain,
    get gateway() {
      return gateway
    },
    config,
    developer: developer!,
    payer: payer!,
    lines,

    async deploy(project, functions, owner = developer!) {
      versions++
      const manifest: Manifest = {
        schema: 'peerhost/manifest/1',
        owner: owner.address,
        project,
        tools: {},
        functions: functions.map(({ name, price = 0n, routes = [], definition }, index) => ({
          name,
          handler: 'index.handler',
          bundleCid: cidOfDigest(hash(16 * versions + index)),
          codeDigest: hash((16 * versions + index) % 255),
          size: 100,
          routes: routes.map((route) => ({ method: 'GET', kind: 'httpApi', payload: '2.0', ...route })),
          price: String(price),
          timeout: 6,
          memorySize: 128,
          egress: [],
          verification: 'none',
          publicHeaders: [],
          environment: {},
          runtimeId: RUNTIME_ID,
          ...definition,
        })),
      }
      const { bytes, digest } = encodeManifest(manifest)
      const content = createStore({ driver: 'embedded', path: join(config.dataDir, 'ipfs') })
      await content.put(await importBytes(bytes))
      await content.close()
      const toRegister = manifest.functions.map(
        ({ name, codeDigest, price, verification }): FunctionSpec => ({
          name,
          codeDigest,
          manifestDigest: digest,
          price: BigInt(price),
          class: VERIFICATION_CLASSES[verification],
          runtimeId: RUNTIME_ID,
        }),
      )
      for (const spec of toRegister) specs.set(spec.name, spec)
      let sender = senders.get(owner.address)
      if (!sender) {
        sender = createSender({ provider: chain.provider, privateKey: owner.privateKey })
        senders.set(owner.address, sender)
      }
      const sent = await deployFunctions(sender, chain.contracts.ExecutionCoordinator, project, toRegister)
      await sent.wait()
      const wanted = toRegister.map(({ codeDigest }) => codeDigest)
      await until(async () => {
        const answer = await fetch(`${gateway.url}/services?owner=${owner.address}&project=${project}`)
        const { services } = (await answer.json()) as { services: { codeDigest: Hex }[] }
        return wanted.every((digest) => services.some(({ codeDigest }) => codeDigest === digest))
      })
    },

    async worker(script, more = {}) {
      const account = await chain.account()
      const hotKey = (await chain.account()).privateKey
      const signer = await bond(chain, domain, account, 1, hotKey)
      const base = { gatewayUrl: gateway.url, domain, signer, worker: account.address, runtimeId: RUNTIME_ID }
      return startScriptedWorker({ ...base, specs, script, ...more })
    },

    url: (project, path, owner = developer!) => `${gateway.url}/run/${owner.address}/${project}${path}`,

    async usdcOf(address) {
      return (await new Contract(chain.usdc, testUsdcAbi, chain.provider).balanceOf!(address)) as bigint
    },

    async restart({ fresh = false } = {}) {
      await gateway.close()
      if (fresh)
        for (const name of readdirSync(config.dataDir))
          if (name.startsWith('gateway-')) rmSync(join(config.dataDir, name))
      gateway = await createGateway(config)
      return gateway
    },

    async stop() {
      await gateway.close()
      await chain.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return network
}

/** Waits for a condition; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come true`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Calls again until it is answered with 200; gives that answer. */
export async function untilAnswered(call: () => Promise<Response>): Promise<Response> {
  let response: Response | undefined
  await until(async () => {
    response = await call()
    return response.status === 200
  }, 'the answer')
  return response!
}
