Feature: Marking the connection
  Whoever looks at the connection must see that it is unauthenticated: as long as it is, and no longer.

  @MARK-01 @must @error
  Rule: The connection is shown as unauthenticated, in agreement with the wire

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject shows the connection as unauthenticated (MARK-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @MARK-02 @must @error
  Rule: It is still shown after a restart

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the restarted subject still shows the connection as unauthenticated (MARK-02)

      Examples:
        | story                        | what happens                                          |
        | restarted_while_disconnected | The subject is restarted while the connection is dead |

  @MARK-03 @must @error
  Rule: Reconnection clears the mark, and it stays cleared

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject shows the connection as connected again, and goes on showing it (MARK-03)

      Examples:
        | story                      | what happens                                            |
        | reconnected_then_restarted | The user reconnects, and the subject is restarted later |
        | user_revokes_access        | The user revokes access                                 |

  @MARK-04 @must @error
  Rule: Only the affected connection is marked

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject's other connections stay as they were (MARK-04)

      Examples:
        | story                 | what happens                                    |
        | one_of_two_is_revoked | The user of one of two companies revokes access |
