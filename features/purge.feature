Feature: Invalidating what is stored
  Dead tokens are to be invalidated at once, and no copy may remain from which they could be reused by accident. That is
  judged twice: by what the subject presents, and by what can be read in its storage.

  @PURGE-01 @must @error
  Rule: The invalidated access token is never presented again

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the dead access token is not presented again, not even after a restart (PURGE-01)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PURGE-02 @must @error
  Rule: The invalidated refresh token is never presented again

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the dead refresh token is not presented again, not even after a restart (PURGE-02)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PURGE-03 @must @error
  Rule: Storage keeps no readable copy of the dead refresh token

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no readable copy of the dead refresh token is left in storage (PURGE-03)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PURGE-04 @must @error
  Rule: Storage keeps no readable copy of the invalidated access token

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no readable copy of the dead access token is left in storage (PURGE-04)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PURGE-05 @should @warning
  Rule: Nothing is left between the rows

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then no residue of a token can be read in journals and free pages (PURGE-05)

      Examples:
        | story               | what happens            |
        | user_revokes_access | The user revokes access |

  @PURGE-07 @must @error
  Rule: Only the affected connection's tokens are purged; everything else stays

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject's other connections keep their tokens and go on working (PURGE-07)

      Examples:
        | story                 | what happens                                    |
        | one_of_two_is_revoked | The user of one of two companies revokes access |

  @PURGE-08 @must @error
  Rule: Superseded tokens are discarded after each good refresh

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the tokens that a refresh replaced are in no live place any more (PURGE-08)

      Examples:
        | story           | what happens           |
        | refreshed_twice | Two refreshes in a row |

  @PURGE-09 @should @warning
  Rule: A user who disconnects leaves no tokens behind, and Pleo is told

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the tokens are gone and Pleo was told, or it was tried (PURGE-09)

      Examples:
        | story                              | what happens                                         |
        | user_disconnects                   | The user disconnects                                 |
        | user_disconnects_and_pleo_fails    | The user disconnects, and Pleo answers with an error |
        | user_disconnects_and_pleo_hangs_up | The user disconnects, and Pleo closes the connection |
