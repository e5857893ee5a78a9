Feature: Transient faults
  A token endpoint that is out of order says nothing about the grant. Giving up the connection would ask the user for
  something that nobody needs; hammering the endpoint helps nobody either.

  @RETRY-01 @must @error
  Rule: A transient fault purges nothing and marks nothing

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject keeps its tokens and shows the connection as it was (RETRY-01)

      Examples:
        | story                             | what happens                                               |
        | proxy_answers_with_html           | A proxy answers in place of the token endpoint for a while |
        | token_endpoint_drops_connections  | The token endpoint drops connections for a while           |
        | token_endpoint_resets_connections | The token endpoint resets connections for a while          |
        | token_endpoint_unavailable        | The token endpoint is unavailable for a while              |
        | too_many_refreshes                | Too many refreshes, says the token endpoint for a while    |

  @RETRY-02 @must @error
  Rule: Attempts are bounded

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject makes few attempts, further and further apart (RETRY-02)

      Examples:
        | story                             | what happens                                               |
        | proxy_answers_with_html           | A proxy answers in place of the token endpoint for a while |
        | token_endpoint_drops_connections  | The token endpoint drops connections for a while           |
        | token_endpoint_resets_connections | The token endpoint resets connections for a while          |
        | token_endpoint_unavailable        | The token endpoint is unavailable for a while              |
        | too_many_refreshes                | Too many refreshes, says the token endpoint for a while    |

  @RETRY-03 @should @warning
  Rule: Retry-After is honoured

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject comes back no earlier than it was asked to (RETRY-03)

      Examples:
        | story                            | what happens                                               |
        | token_endpoint_asks_for_patience | The token endpoint asks to be left alone for three seconds |

  @RETRY-04 @must @error
  Rule: The subject recovers when the provider is back

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject works again without a restart and without a new consent (RETRY-04)

      Examples:
        | story                             | what happens                                               |
        | proxy_answers_with_html           | A proxy answers in place of the token endpoint for a while |
        | token_endpoint_drops_connections  | The token endpoint drops connections for a while           |
        | token_endpoint_resets_connections | The token endpoint resets connections for a while          |
        | token_endpoint_unavailable        | The token endpoint is unavailable for a while              |
        | too_many_refreshes                | Too many refreshes, says the token endpoint for a while    |

  @RETRY-05 @should @warning
  Rule: A hung token endpoint is given a time limit

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject gives up waiting in time (RETRY-05)

      Examples:
        | story                | what happens                     |
        | token_endpoint_hangs | The token endpoint never answers |

  @RETRY-06 @should @warning
  Rule: A redirect of the token endpoint leads nobody astray

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject carries no secret to another origin and takes no tokens from there (RETRY-06)

      Examples:
        | story                                  | what happens                                                 |
        | token_endpoint_redirects               | The token endpoint redirects to another origin, as to a page |
        | token_endpoint_redirects_with_its_body | The token endpoint redirects to another origin, body and all |

  @RETRY-07 @must @error
  Rule: A lost reply ends in a clean state

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject tries again within bounds, and either works or shows that access is lost (RETRY-07)

      Examples:
        | story                            | what happens                                                     |
        | lost_reply_within_a_grace_period | The reply to a refresh is lost, and a second attempt is answered |
        | replies_are_lost_for_a_while     | All replies of the token endpoint are lost for a while           |
        | reply_to_a_refresh_is_lost       | The reply to a refresh is lost                                   |
        | token_answer_is_cut_off          | The reply to a refresh is cut off in the middle                  |
