import { connectNetwork } from '../deploy/connect-network.ts'
import { removeService } from '../deploy/deploy-service.ts'
import { selectStore } from '../deploy/select-store.ts'
import type { PeerHostProvider } from '../provider.ts'
import type { CommandPart } from './commands.ts'

/** `serverless remove`: retires every function of the project in one transaction. */
export function removeCommand(provider: PeerHostProvider): CommandPart {
  return { commands: { remove: {} }, hooks: { 'remove:remove': () => remove(provider) } }
}

async function remove(provider: PeerHostProvider): Promise<void> {
  const { serverless, utils } = provider
  const { steps } = provider
  const { project, stage } = provider.config()
  const connection = await connectNetwork(provider.networkOptions())
  try {
    utils.log.notice(`Removing ${serverless.service.service} from stage ${stage} (${connection.network.info.name})`)
    const { removed, transaction } = await removeService(
      connection,
      project,
      selectStore(process.env, connection.gateway),
      steps,
    )
    if (!transaction) {
      utils.log.success('Nothing to remove: no function is registered')
      return
    }
    utils.log.success(`Service ${serverless.service.service} has been successfully removed (${steps.total()})`)
    utils.writeText([`removed: ${removed.join(', ')}`, `transaction: ${transaction.hash} (gas ${transaction.gasUsed})`])
  } finally {
    connection.chain.close()
  }
}
