import {
  type Chain,
  connectChain,
  createSender,
  findNetwork,
  type NetworkConfig,
  type TransactionSender,
} from '@peerhost/chain'
import { createPureSigner, type Hex, type MessageSigner, PeerHostError, parsePrivateKey } from '@peerhost/protocol'
import { GatewayClient } from './gateway-client.ts'

export interface NetworkOptions {
  /** Folder of serverless.yml. */
  cwd: string
  env: NodeJS.ProcessEnv
  /** `--network`. */
  network?: string
  /** `provider.network`. */
  fallback?: string
}

/** The developer's side of a network: his key, and who he speaks to with it. */
export interface Connection {
  network: NetworkConfig
  gateway: GatewayClient
  /** Lower case. */
  owner: Hex
}

/** A connection that also reaches the chain. */
export interface ChainConnection extends Connection {
  chain: Chain
  sender: TransactionSender
}

/** PEERHOST_PRIVATE_KEY, else the local network's funded developer. @throws PH_CONFIG_KEY_MISSING, PH_CONFIG_KEY_INVALID */
function deployerKey(env: NodeJS.ProcessEnv, network: NetworkConfig): Hex {
  const given = env.PEERHOST_PRIVATE_KEY?.trim() || network.accounts?.developer.privateKey
  if (!given) throw new PeerHostError('PH_CONFIG_KEY_MISSING', {})
  return parsePrivateKey(given)
}

function signerOf(key: Hex): MessageSigner {
  try {
    return createPureSigner(key)
  } catch {
    // 0, or not below the curve's order; the cause would show it
    throw new PeerHostError('PH_CONFIG_KEY_INVALID', {})
  }
}

/** Finds the network and takes the key; contacts nobody yet. */
export function openNetwork({ cwd, env, network: name, fallback }: NetworkOptions): Connection & { key: Hex } {
  const network = findNetwork({ cwd, env, network: name, fallback })
  const key = deployerKey(env, network)
  const signer = signerOf(key)
  const domain = { chainId: network.info.chainId, verifyingContract: network.contracts.ExecutionCoordinator }
  return {
    network,
    key,
    owner: signer.address,
    gateway: new GatewayClient({ url: network.gatewayUrl, signer, domain }),
  }
}

/**
 * Connects to chain and gateway and checks that the key can pay for a transaction, before anything is uploaded.
 *
 * @throws PH_CONFIG_*, PH_CHAIN_UNREACHABLE, PH_CHAIN_WRONG_NETWORK, PH_CHAIN_NO_FUNDS
 */
export async function connectNetwork(options: NetworkOptions): Promise<ChainConnection> {
  const { key, ...connection } = openNetwork(options)
  const { network, owner } = connection
  const chain = await connectChain({ rpcUrl: network.rpcUrl, chainId: network.info.chainId })
  try {
    const sender = createSender({ provider: chain.provider, privateKey: key })
    if ((await chain.provider.getBalance(owner)) === 0n)
      throw new PeerHostError('PH_CHAIN_NO_FUNDS', { address: owner })
    return { ...connection, chain, sender }
  } catch (error) {
    chain.close()
    throw error
  }
}
