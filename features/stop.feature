Feature: Stopping
  Once the subject knows that the grant is dead it must stop making requests: not with the dead token, not with an empty
  one, not without one. Stopping means every source of work, and it outlives a restart.

  @STOP-01 @must @error
  Rule: Once it knows, no call of the API is made for that connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject makes no further call of the API (STOP-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @STOP-02 @must @error
  Rule: A refused refresh token is not presented again

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject does not present the refused refresh token again (STOP-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @STOP-03 @must @error
  Rule: Every source of work stops

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then timers, queues and webhooks of the subject make no calls either (STOP-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @STOP-04 @must @error
  Rule: It is still stopped after a restart

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the restarted subject makes no call of the API (STOP-04)

      Examples:
        | story                        | what happens                                          |
        | restarted_while_disconnected | The subject is restarted while the connection is dead |

  @STOP-05 @must @error
  Rule: The end holds in every process that shares the store

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then every process stops, each after one call at most (STOP-05)

      Examples:
        | story                       | what happens                                         |
        | revoked_under_two_processes | The user revokes access while several processes work |

  @STOP-06 @must @error
  Rule: There is no other way in than through the user

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject asks for tokens in no other way (STOP-06)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @STOP-07 @should @warning
  Rule: One refusal is enough

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject presents the refused refresh token only once (STOP-07)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |
