import { createRegistry, type RegisteredService } from '@peerhost/chain'
import type { ChainConnection } from './connect-network.ts'

/** What one transaction, or several of one block, registered of a project. */
export interface Deployment {
  /** Of its block, milliseconds since 1970. */
  timestamp: number
  functions: RegisteredService[]
}

export interface History {
  /** Every version of each function that the project has or had. */
  versions: Map<string, RegisteredService[]>
  /** Oldest first. */
  deployments(): Promise<Deployment[]>
}

/** Reads a project's past from the chain's own events. */
export async function readHistory({ chain, network, owner }: ChainConnection, project: string): Promise<History> {
  const { contracts, fromBlock, info } = network
  const registry = await createRegistry({ provider: chain.provider, contracts, finality: info.finality, fromBlock })
  try {
    await registry.sync()
    const versions = registry.history(owner, project)
    const blocks = new Map<number, RegisteredService[]>()
    for (const one of [...versions.values()].flat()) blocks.set(one.block, [...(blocks.get(one.block) ?? []), one])
    const deployments = async () => {
      const numbers = [...blocks.keys()].sort((a, b) => a - b)
      const times: Deployment[] = []
      for (const number of numbers) {
        const block = await chain.provider.getBlock(number)
        // a block that is gone again has deployed nothing
        if (block) times.push({ timestamp: block.timestamp * 1000, functions: blocks.get(number)! })
      }
      return times
    }
    return { versions, deployments }
  } finally {
    await registry.stop()
  }
}
