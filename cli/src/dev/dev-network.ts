import { join } from 'node:path'
import { type LocalChain, startLocalChain } from '@peerhost/contracts/local-chain'
import { type ContractAddresses, type Hex, NETWORKS, type NetworkFile, PeerHostError } from '@peerhost/protocol'
import { JsonRpcProvider } from 'ethers'
import { accounts } from './accounts.ts'
import { assertPortFree } from './assert-port-free.ts'
import { claimDataDir, releaseDataDir, removeNetworkFile, writeNetworkFile } from './network-file.ts'
import { type RoleProcess, startRole } from './role-process.ts'
import { setUpChain } from './set-up-chain.ts'

export interface DevNetworkOptions {
  /** The gateway's; 0 takes free ones for gateway and chain. */
  port: number
  workers: number
  /** Seconds between blocks; 0 mines each transaction at once. */
  blockTime: number
  dataDir: string
  /** Forget what an earlier network left in the folder. */
  fresh?: boolean
  onLog: (who: string, level: 'info' | 'warning' | 'error', message: string) => void
  onStep?: (step: string, ms: number) => void
}

export interface DevNetwork {
  file: string
  network: NetworkFile
  /** Settles if the network ends by itself, with the reason. */
  broken: Promise<PeerHostError>
  stop(): Promise<void>
}

const RPC_PORT = 8545
/** A member that ended is started again after this, so that one which cannot start does not fill the log. */
const RESTART_MS = 1_000

/**
 * Starts the embedded network: chain, gateway, workers, a process each. A gateway or worker that dies is started again;
 * the chain's end is the network's.
 *
 * @throws PH_DEV_ALREADY_RUNNING, PH_DEV_PORT_IN_USE, PH_DEV_START_FAILED
 */
export async function startDevNetwork(options: DevNetworkOptions): Promise<DevNetwork> {
  const { port, workers, blockTime, dataDir, onLog, onStep = () => {} } = options
  claimDataDir(dataDir, options)
  const broken = Promise.withResolvers<PeerHostError>()
  const members = new Map<string, RoleProcess>()
  let chain: LocalChain | undefined
  let stopping = false
  let file: NetworkFile | undefined

  const timed = async <T>(step: string, work: Promise<T>): Promise<T> => {
    const began = performance.now()
    const result = await work
    onStep(step, performance.now() - began)
    return result
  }

  async function stop(): Promise<void> {
    stopping = true
    removeNetworkFile(dataDir)
    await Promise.all([...members].map(([name, member]) => (name === 'gateway' ? undefined : member.stop())))
    await members.get('gateway')?.stop() // last: it anchors what the workers still sent
    await chain?.stop()
    releaseDataDir(dataDir)
  }

  const publish = () => (file ? writeNetworkFile(dataDir, file) : '')

  /** Starts a member and, when it dies, starts it again in its place. */
  async function keep(
    name: string,
    config: Parameters<typeof startRole>[0]['config'],
    onPid: (member: RoleProcess) => void,
  ): Promise<RoleProcess> {
    const member = await startRole({ config, onLog: (level, message) => onLog(name, level, message) })
    members.set(name, member)
    onPid(member)
    void member.ended.then(async () => {
      while (!stopping) {
        onLog(name, 'warning', `${name} has ended; it is started again`)
        await new Promise((done) => setTimeout(done, RESTART_MS))
        if (stopping) return
        try {
          await keep(name, config, onPid)
          publish()
          return
        } catch (error) {
          onLog(name, 'error', (error as Error).message)
        }
      }
    })
    return member
  }

  try {
    const rpcPort = port === 0 ? 0 : RPC_PORT
    for (const wanted of [port, rpcPort]) await assertPortFree(wanted)
    chain = await timed('chain', startLocalChain({ port: rpcPort, statePath: join(dataDir, 'chain.json') }))
    chain.process.once('close', () => {
      if (!stopping) broken.resolve(new PeerHostError('PH_DEV_START_FAILED', { detail: 'the chain has ended' }))
    })
    const { rpcUrl } = chain
    const { contracts, usdc } = await timed('contracts, bonds and accounts', setUpChain(rpcUrl, workers))
    const base = { network: NETWORKS.local, rpcUrl, contracts }
    const pids: NetworkFile['pids'] = { chain: chain.pid, gateway: 0, workers: {} }

    const gatewayConfig = {
      ...base,
      port,
      host: '127.0.0.1',
      privateKey: accounts.gateway().privateKey,
      dataDir: join(dataDir, 'gateway'),
    }
    const gateway = await timed(
      'gateway',
      keep('gateway', { role: 'gateway', gateway: gatewayConfig }, ({ pid }) => {
        pids.gateway = pid
      }),
    )
    const gatewayUrl = gateway.url!
    // A gateway that is started again has to be where the first one was.
    gatewayConfig.port = Number(new URL(gatewayUrl).port)

    await timed(
      `${workers} workers`,
      Promise.all(
        Array.from({ length: workers }, async (_, index) => {
          const { address, privateKey } = accounts.worker(index)
          const config = { ...base, gateways: [gatewayUrl], privateKey, dataDir: join(dataDir, `worker-${index + 1}`) }
          await keep(`worker ${index + 1}`, { role: 'worker', worker: config }, ({ pid }) => {
            pids.workers[address] = pid
          })
        }),
      ),
    )
    if (blockTime > 0) await mineEvery(rpcUrl, blockTime)
    file = describeNetwork({ gatewayUrl, rpcUrl, contracts, usdc, pids })
    return { file: publish(), network: file, broken: broken.promise, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** From here on blocks come at their own pace, as on a public chain. */
async function mineEvery(rpcUrl: string, seconds: number): Promise<void> {
  const provider = new JsonRpcProvider(rpcUrl, NETWORKS.local.chainId, { staticNetwork: true })
  await provider.send('evm_setAutomine', [false])
  await provider.send('evm_setIntervalMining', [seconds])
  provider.destroy()
}

function describeNetwork(parts: {
  gatewayUrl: string
  rpcUrl: string
  contracts: ContractAddresses
  usdc: Hex
  pids: NetworkFile['pids']
}): NetworkFile {
  return {
    gatewayUrl: parts.gatewayUrl,
    rpcUrl: parts.rpcUrl,
    chainId: NETWORKS.local.chainId,
    ipfsUrl: parts.gatewayUrl,
    usdc: parts.usdc,
    contracts: parts.contracts,
    pids: parts.pids,
    accounts: { developer: accounts.developer(), payer: accounts.payer() },
  }
}
