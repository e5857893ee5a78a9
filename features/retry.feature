Feature: Transient faults
  A token endpoint that is out of order says nothing about the grant. Giving up the connection would ask the user for
  something that nobody needs; hammering the endpoint helps nobody either.

  @RETRY-01 @must @error
  Rule: A transient fault purges nothing and marks nothing

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject keeps its tokens and shows the connection as it was (RETRY-01)

      Examples:
        | story                            | what happens                                     |
        | token_endpoint_drops_connections | The token endpoint drops connections for a while |
        | token_endpoint_unavailable       | The token endpoint is unavailable for a while    |

  @RETRY-02 @must @error
  Rule: Attempts are bounded

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject makes few attempts, further and further apart (RETRY-02)

      Examples:
        | story                            | what happens                                     |
        | token_endpoint_drops_connections | The token endpoint drops connections for a while |
        | token_endpoint_unavailable       | The token endpoint is unavailable for a while    |

  @RETRY-04 @must @error
  Rule: The subject recovers when the provider is back

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again without a restart and without a new consent (RETRY-04)

      Examples:
        | story                            | what happens                                     |
        | token_endpoint_drops_connections | The token endpoint drops connections for a while |
        | token_endpoint_unavailable       | The token endpoint is unavailable for a while    |
